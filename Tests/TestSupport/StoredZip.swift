/// Builds small zip archives with stored entries, sound or deliberately damaged ones.
package enum StoredZip {
  /// The bytes of an archive.
  ///
  /// - Parameter files: Names and contents in order.
  package static func archive(_ files: [(name: String, content: [UInt8])]) -> [UInt8] {
    archive(files.map { ($0.name, $0.content, 0, $0.content) })
  }

  /// The bytes of an archive of entries that are already packed.
  ///
  /// - Parameter files: Names, contents, compression methods and packed contents in order.
  package static func archive(
    _ files: [(name: String, content: [UInt8], method: UInt16, packed: [UInt8])]
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for file in files {
      let name = Array(file.name.utf8)
      let common =
        little(file.method) + little(UInt32(0)) + little(checksum(file.content))
        + little(UInt32(file.packed.count)) + little(UInt32(file.content.count))
        + little(UInt16(name.count)) + little(UInt16(0))
      directory += little(UInt32(0x0201_4B50)) + little(UInt16(20)) + little(UInt16(20))
      directory += little(UInt16(0)) + common + [UInt8](repeating: 0, count: 10)
      directory += little(UInt32(bytes.count)) + name
      bytes += little(UInt32(0x0403_4B50)) + little(UInt16(20)) + little(UInt16(0)) + common
      bytes += name + file.packed
    }
    let start = UInt32(bytes.count)
    bytes += directory + little(UInt32(0x0605_4B50)) + little(UInt32(0))
    bytes += little(UInt16(files.count)) + little(UInt16(files.count))
    return bytes + little(UInt32(directory.count)) + little(start) + little(UInt16(0))
  }

  /// The CRC-32 of bytes, bit by bit.
  ///
  /// - Parameter bytes: The bytes.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { value, byte in
      (0..<8).reduce(value ^ UInt32(byte)) { bits, _ in
        bits & 1 == 1 ? bits >> 1 ^ 0xEDB8_8320 : bits >> 1
      }
    }
  }

  /// The bytes of a whole number, the lowest first.
  ///
  /// - Parameter value: The number.
  /// - Returns: Its bytes.
  package static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
