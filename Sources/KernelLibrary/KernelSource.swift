import Formats
import Foundation

/// The OpenCL C files that are embedded into the binary, by path below `Kernels/`.
package enum KernelSource {
  /// A kernel file that is missing or includes one that is.
  package struct Missing: Error, CustomStringConvertible {
    /// The path below `Kernels/`.
    package let path: String
    /// The file that includes it, or nil.
    package let includedFrom: String?

    /// One line naming the file.
    package var description: String {
      let origin = includedFrom.map { " (included from Kernels/\($0))" } ?? ""
      return "Kernels/\(path)\(origin): no such kernel file in this binary or in $BARON_KERNELS"
    }
  }

  /// The embedded files by path below `Kernels/`, for example `Common/Types.clh`.
  package static let embedded = Dictionary(
    uniqueKeysWithValues: embeddedKernels.map { ($0.path, $0.text + "\n") })

  /// A file's text: from the folder `$BARON_KERNELS` when that is set, else from the binary.
  ///
  /// - Parameters:
  ///   - path: The path below `Kernels/`.
  ///   - origin: The file that includes it, or nil.
  /// - Throws: ``Missing``.
  static func text(_ path: String, includedFrom origin: String? = nil) throws -> String {
    if let folder = ProcessInfo.processInfo.environment["BARON_KERNELS"], !folder.isEmpty {
      guard let text = try? RegularFile.text("\(folder)/\(path)") else {
        throw Missing(path: path, includedFrom: origin)
      }
      return text
    }
    guard let text = embedded[path] else { throw Missing(path: path, includedFrom: origin) }
    return text
  }

  /// A file with its quoted includes put in place, each file once, and line directives, so that a
  /// compiler's messages name our files.
  ///
  /// - Parameter path: The path below `Kernels/`.
  /// - Throws: ``Missing``.
  package static func assembled(_ path: String) throws -> String {
    var seen: Set<String> = []
    var out = ""
    try append(path, includedFrom: nil, &seen, &out)
    return out
  }

  private static func append(
    _ path: String, includedFrom origin: String?, _ seen: inout Set<String>, _ out: inout String
  ) throws {
    guard seen.insert(path).inserted else { return }
    let text = try self.text(path, includedFrom: origin)
    out += "#line 1 \"Kernels/\(path)\"\n"
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      let words = line.split(separator: "\"", omittingEmptySubsequences: false)
      if line.hasPrefix("#include \""), words.count == 3 {
        try append(String(words[1]), includedFrom: path, &seen, &out)
        out += "#line \(index + 2) \"Kernels/\(path)\"\n"
      } else {
        out += line + "\n"
      }
    }
  }
}
