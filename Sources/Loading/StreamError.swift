import Pictures

/// Why a stream of images has nothing to give.
package struct StreamError: Error, CustomStringConvertible, Equatable {
  let name: String
  let reason: String

  /// One line: stream, fault, remedy.
  package var description: String { "stream \"\(name)\": \(reason)" }
}

extension StreamError {
  /// Of a stream without a usable image: how many were tried, why they failed, and the first of them.
  init(nothingUsableIn stream: LoaderStream, _ faults: [any Error]) {
    let causes = faults.map { ($0 as? PictureError)?.cause.rawValue ?? "with a faulty record" }
    let counts = Dictionary(causes.map { ($0, 1) }, uniquingKeysWith: +).sorted {
      ($1.value, $0.key) < ($0.value, $1.key)
    }
    let key = stream.folderKey.isEmpty ? "" : " (\(stream.folderKey))"
    let list = counts.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    self.init(
      name: stream.name.rawValue,
      reason: "no usable image in \(stream.folder)\(key); of \(faults.count) tried \(list)"
        + (faults.first.map { "; the first: \($0)" } ?? ""))
  }
}
