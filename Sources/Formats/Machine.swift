import Foundation

/// The machine that this process runs on.
package enum Machine {
  /// Its own name, without asking a name server.
  package static var name: String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
    return String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Its name up to the first dot as part of a file's name: letters, digits and `_`, 24 at most; it
  /// may be empty.
  package static let namePart = namePart(of: name)

  static func namePart(of name: String) -> String {
    let short = name.prefix { $0 != "." }
    // Machines that are counted differ at the end.
    return String(short.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }.suffix(24))
  }
}
