import Formats
import Testing

@Suite struct ChecksumTests {
  /// The vectors of RFC 3720, B.4, and the check value of the catalogue of CRCs.
  private static let vectors: [(bytes: [UInt8], sum: UInt32)] = [
    ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
    ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
    ([UInt8](0..<32), 0x46DD_794E),
    ([UInt8](0..<32).reversed(), 0x113F_DB5C),
    (Array("123456789".utf8), 0xE306_9283),
    ([], 0),
  ]

  @Test func castagnoliIsThatOfTheStandard() {
    for (bytes, sum) in Self.vectors {
      #expect(bytes.withUnsafeBytes { Checksum.crc32c($0) } == sum)
    }
  }
}
