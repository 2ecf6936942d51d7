import Formats

/// Reading NumPy `.npy` files, format versions 1 to 3, C order, little-endian numbers.
package enum NumPyArray {
  static let types: [String: StoredType] = [
    "<f2": .float16, "<f4": .float32, "<f8": .float64, "<i4": .int32, "<i8": .int64,
  ]

  /// What every file starts with.
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads an array.
  ///
  /// - Parameter path: The file's path.
  /// - Returns: The array; its name is the path.
  /// - Throws: ``CheckpointError`` when the file is missing, damaged, cut short or of another type
  ///   or order.
  package static func read(path: String) throws -> HostTensor {
    try CheckpointError.wrapping { try MappedFile.read(path) { try read($0, path: path) } }
  }

  private static func read(_ bytes: UnsafeRawBufferPointer, path: String) throws -> HostTensor {
    func refuse(_ reason: String) -> CheckpointError { .header(path: path, reason: reason) }
    guard bytes.count >= 10, bytes.starts(with: magic) else {
      throw refuse("this is not a NumPy .npy file")
    }
    // Version 1 has a 16-bit header length, versions 2 and 3 a 32-bit one.
    let version = bytes[6]
    guard (1...3).contains(version) else { throw refuse("unknown format version \(version)") }
    let headerStart = version == 1 ? 10 : 12
    guard bytes.count >= headerStart else { throw refuse("the file is cut short") }
    let length =
      version == 1
      ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
      : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    let dataStart = headerStart + length
    guard dataStart <= bytes.count else {
      throw refuse("is \(length, "byte") long, the file only \(bytes.count); it was cut short")
    }
    let text = String(
      decoding: UnsafeRawBufferPointer(rebasing: bytes[headerStart..<dataStart]), as: UTF8.self)
    let header: NumPyHeader
    do { header = try NumPyHeader(text) } catch let problem { throw refuse(problem.reason) }
    guard let type = types[header.descriptor] else {
      let known = types.keys.sorted().joined(separator: ", ")
      throw refuse("holds \"\(header.descriptor)\"; readable are \(known): convert with astype")
    }
    guard !header.isFortranOrder else {
      throw refuse("is in Fortran order; save it again after numpy.ascontiguousarray")
    }
    guard let byteCount = CheckedShape.byteCount(of: header.shape, type: type) else {
      throw refuse("has the shape \(header.shape), whose product overflows")
    }
    guard byteCount == bytes.count - dataStart else {
      throw refuse(
        "shape \(header.shape) of \(header.descriptor) takes \(byteCount, "byte"), "
          + "\(bytes.count - dataStart) follow")
    }
    return HostTensor(
      name: path, shape: header.shape, type: type, bytes: Array(bytes[dataStart...]))
  }
}

/// The header of a `.npy` file: a Python dictionary of a text, a truth value and a tuple.
struct NumPyHeader {
  /// Why a header cannot be read.
  struct Problem: Error {
    let reason: String
  }

  var descriptor = ""
  var isFortranOrder = false
  var shape: [Int] = []
  private var rest: Substring

  init(_ text: String) throws(Problem) {
    rest = text[...]
    var missing: Set<String> = ["descr", "fortran_order", "shape"]
    try expect("{")
    while !skip("}") {
      let key = try quoted()
      guard missing.remove(key) != nil else {
        throw Problem(reason: "unexpected or repeated key \"\(key)\"")
      }
      try expect(":")
      switch key {
      case "descr": descriptor = try quoted()
      case "shape": shape = try tuple()
      default: isFortranOrder = try truth()
      }
      if !skip(",") {
        try expect("}")
        break
      }
    }
    guard missing.isEmpty else {
      throw Problem(reason: "the keys \(missing.sorted()) are missing")
    }
    guard rest.allSatisfy(\.isWhitespace) else {
      throw Problem(reason: "unexpected text after the dictionary")
    }
  }

  private mutating func skip(_ token: String) -> Bool {
    rest = rest.drop(while: \.isWhitespace)
    guard rest.hasPrefix(token) else { return false }
    rest = rest.dropFirst(token.count)
    return true
  }

  private mutating func expect(_ token: String) throws(Problem) {
    guard skip(token) else {
      throw Problem(reason: "expected '\(token)' before \"\(rest.prefix(20))\"")
    }
  }

  private mutating func quoted() throws(Problem) -> String {
    let quote: Character = skip("'") ? "'" : "\""
    if quote == "\"" { try expect("\"") }
    let text = rest.prefix { $0 != quote }
    rest = rest.dropFirst(text.count)
    try expect(String(quote))
    return String(text)
  }

  private mutating func truth() throws(Problem) -> Bool {
    if skip("True") { return true }
    try expect("False")
    return false
  }

  private mutating func tuple() throws(Problem) -> [Int] {
    var lengths: [Int] = []
    try expect("(")
    while !skip(")") {
      rest = rest.drop(while: \.isWhitespace)
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == "-") }
      guard let length = Int(digits), length >= 0 else {
        throw Problem(reason: "the shape holds \"\(rest.prefix(20))\"")
      }
      rest = rest.dropFirst(digits.count)
      lengths.append(length)
      if !skip(",") {
        try expect(")")
        break
      }
    }
    return lengths
  }
}
