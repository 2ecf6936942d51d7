/// Why detection cannot start or found no image; the description is one line with the remedy.
enum DetectError: Error, CustomStringConvertible {
  case noVocabulary(reason: String)
  case emptyName(source: String, place: String)
  case sameName(source: String, place: String, first: String, second: String)
  case noNames(source: String)
  case longName(source: String, place: String, reason: String)
  case noFile(path: String)
  case unreadableFile(path: String)
  case noImages(input: String)
  case occupied(folder: String)
  case folder(String)
  case overInput(path: String)
  case nothingReadable(count: Int, first: String)

  var description: String {
    switch self {
    case .noVocabulary(let reason):
      "no vocabulary: the run's own class names cannot be read (\(reason)); give --vocabulary"
    case .emptyName(let source, let place):
      "\(source): \(place): the name is empty; remove the extra comma or write a name"
    case .sameName(let source, let place, let first, let second):
      first == second
        ? "\(source): \(place): \"\(first)\" is given twice; give each name once"
        : "\(source): \(place): \"\(first)\" and \"\(second)\" mean the same to the text encoder; "
          + "give one"
    case .noNames(let source):
      "\(source): holds no names; write one or more"
    case .longName(let source, let place, let reason):
      "\(source): \(place): \(reason)"
    case .noFile(let path):
      "\(path): no such file; give a text file with one name on each line, a JSON file, or the names "
        + "with commas between"
    case .unreadableFile(let path):
      "\(path): cannot be read as text; give a UTF-8 file with one name on each line"
    case .noImages(let input):
      "\(input): no image file is there; give a JPEG or PNG file, a folder with some or a pattern"
    case .occupied(let folder):
      "\(folder): holds files already; choose another --output or give --overwrite"
    case .folder(let path):
      "\(path): the folder cannot be made; choose a writable place"
    case .overInput(let path):
      "\(path): is one of the images to read; choose another --output"
    case .nothingReadable(let count, let first):
      count == 1 ? first : "none of the \(count) images can be read; the first: \(first)"
    }
  }
}
