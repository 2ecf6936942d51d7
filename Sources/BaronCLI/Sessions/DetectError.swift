import Formats

/// Why detection cannot start or found no image; the description is one line with the remedy.
enum DetectError: Error, CustomStringConvertible {
  case noVocabulary(reason: String, option: String)
  case noImages(input: String)
  case occupied(folder: String)
  case folder(String)
  case overInput(path: String)
  case nothingReadable(count: Int, first: String)
  case framesToTerminal

  var description: String {
    switch self {
    case .noVocabulary(let reason, let option):
      "no vocabulary: the run's own class names cannot be read (\(reason)); give \(option)"
    case .noImages(let input):
      "\(input): no image file is there; give a JPEG or PNG file, a folder with some or a pattern"
    case .occupied(let folder):
      "\(folder): holds files already; choose another --output or give --overwrite"
    case .folder(let path):
      "\(path): the folder cannot be made; choose a writable place"
    case .overInput(let path):
      "\(path): is one of the images to read; choose another --output"
    case .framesToTerminal:
      "frames are no text for a terminal; send them on to a file or program, or give --json"
    case .nothingReadable(let count, let first):
      count == 1 ? first : "none of the \(count, "image") can be read; the first: \(first)"
    }
  }
}
