import Formats

/// A weight file that cannot be used; the description is one line with the file and the remedy.
package enum CheckpointError: Error, CustomStringConvertible, Equatable {
  /// The file as a whole cannot be read or written.
  case file(path: String, reason: String)
  /// The part that lists the tensors is damaged or hostile.
  case header(path: String, reason: String)
  /// One tensor is damaged, of the wrong type or of the wrong shape.
  case tensor(path: String, name: String, reason: String)
  /// A tensor that is needed is not in the file.
  case missingTensor(path: String, name: String, remedy: String)
  /// A pickle asks to call something that is no part of a plain state dict.
  case refusedCall(path: String, name: String)
  /// The file was written by `torch.save` as a tar archive, before PyTorch 0.1.10.
  case legacyFormat(path: String)
  /// A field of a configuration file is missing or does not fit.
  case configuration(path: String, field: String, reason: String)

  /// One line: file, place, reason, remedy.
  package var description: String {
    switch self {
    case .file(let path, let reason): "\(path): \(reason)"
    case .header(let path, let reason): "\(path): header: \(reason)"
    case .tensor(let path, let name, let reason): "\(path): tensor \"\(name)\": \(reason)"
    case .missingTensor(let path, let name, let remedy):
      "\(path): there is no tensor \"\(name)\"; \(remedy)"
    case .refusedCall(let path, let name):
      "\(path): the pickle wants to use \(name), which is no part of a plain state dict, so it was "
        + "refused and not run; save only the state dict, or convert it to safetensors"
    case .legacyFormat(let path):
      "\(path): was written by torch.save as a tar archive, before PyTorch 0.1.10; load it with a "
        + "PyTorch that still reads it and save it again"
    case .configuration(let path, let field, let reason): "\(path): field \"\(field)\": \(reason)"
    }
  }

  /// The same error with words about who named the file.
  ///
  /// - Parameter words: What to add behind the reason.
  package func adding(_ words: String) -> CheckpointError {
    switch self {
    case .file(let path, let reason): .file(path: path, reason: "\(reason) \(words)")
    case .header(let path, let reason): .header(path: path, reason: "\(reason) \(words)")
    case .configuration(let path, let field, let reason):
      .configuration(path: path, field: field, reason: "\(reason) \(words)")
    case .tensor, .missingTensor, .refusedCall, .legacyFormat: self
    }
  }

  /// Runs a function and turns errors of `Formats` into errors about a weight file.
  static func wrapping<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as FormatError {
      let place = error.place.isEmpty ? "" : "\(error.place): "
      throw CheckpointError.file(path: error.source, reason: place + error.reason)
    }
  }
}
