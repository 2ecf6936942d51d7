import Formats

/// Writes ONNX files.
package enum ONNXFile {
  /// Readers of protocol buffers take no longer message.
  private static let mostBytes = Int(Int32.max)

  /// Writes a model.
  ///
  /// - Parameters:
  ///   - model: The whole file, as ``GraphBuilder/model(producer:description:metadata:)`` gives it.
  ///   - path: Where to.
  /// - Throws: `FormatError` when the model is too large or the file cannot be written.
  package static func write(_ model: WireMessage, to path: String) throws {
    guard model.count <= mostBytes else {
      throw FormatError(
        path, "would have \(model.count, "byte"), and an ONNX file holds at most \(mostBytes)")
    }
    try AtomicFile.write(to: path) { descriptor in
      for piece in model.pieces {
        try piece.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
      }
    }
  }
}
