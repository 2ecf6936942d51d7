import Formats

/// The names by which a model in one file is known; what it holds is the business of `ModelBundle`.
package enum BundleFile {
  /// The first part of the archive.
  package static let manifest = "baron.json"
  /// The part with the detector's weights.
  package static let detector = "detector.safetensors"

  /// Whether a file is such a model, whole or not, by its first bytes.
  ///
  /// - Parameter bytes: The file, or at least its beginning.
  package static func isBundle(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let (start, end) = (30, 30 + manifest.utf8.count)
    return bytes.count >= end && bytes.starts(with: [0x50, 0x4B, 3, 4])
      && bytes[start..<end].elementsEqual(manifest.utf8)
  }
}
