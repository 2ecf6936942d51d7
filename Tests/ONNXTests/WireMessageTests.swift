import ONNX
import Testing

/// Bytes as the protocol buffer documentation and its readers have them.
@Suite struct WireMessageTests {
  private func bytes(_ message: WireMessage) -> [UInt8] { message.pieces.flatMap { $0 } }

  private func bytes(_ fill: (inout WireMessage) -> Void) -> [UInt8] {
    var message = WireMessage()
    fill(&message)
    #expect(message.count == bytes(message).count)
    return bytes(message)
  }

  /// The documentation's own examples: field 1 = 150, field 2 = "testing", field 3 = the first.
  @Test func documentedExamples() {
    let first = bytes { $0.add(1, integer: 150) }
    #expect(first == [0x08, 0x96, 0x01])
    #expect(
      bytes { $0.add(2, text: "testing") } == [0x12, 0x07] + Array("testing".utf8))
    var inner = WireMessage()
    inner.add(1, integer: 150)
    #expect(bytes { $0.add(3, message: inner) } == [0x1a, 0x03, 0x08, 0x96, 0x01])
    #expect(
      bytes { $0.add(6, integers: [3, 270, 86942]) }
        == [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05])
  }

  @Test func numbersAtTheirLimits() {
    #expect(bytes { $0.add(1, integer: 0) } == [0x08, 0x00])
    #expect(bytes { $0.add(1, integer: 127) } == [0x08, 0x7f])
    #expect(bytes { $0.add(1, integer: 128) } == [0x08, 0x80, 0x01])
    #expect(
      bytes { $0.add(1, integer: -1) } == [0x08] + [UInt8](repeating: 0xff, count: 9) + [0x01])
    // Fields from 16 on have a header of two bytes.
    #expect(bytes { $0.add(20, integer: 7) } == [0xa0, 0x01, 0x07])
    #expect(bytes { $0.add(2, float: 1.5) } == [0x15, 0x00, 0x00, 0xc0, 0x3f])
    #expect(bytes { $0.add(9, bytes: []) } == [0x4a, 0x00])
  }

  /// Large fields are not joined with their neighbours; the bytes are the same.
  @Test(arguments: [0, 1, 4095, 4096, 4097, 100_000])
  func largeFieldsKeepTheirPlace(_ size: Int) {
    let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var inner = WireMessage()
    inner.add(1, integer: 5)
    inner.add(9, bytes: payload)
    inner.add(1, integer: 6)
    var outer = WireMessage()
    outer.add(7, message: inner)
    #expect(outer.count == bytes(outer).count)
    let all = bytes(inner)
    #expect(Array(all.suffix(2)) == [0x08, 0x06])
    #expect(Array(all.dropFirst(all.count - 2 - size).prefix(size)) == payload)
    #expect(Array(bytes(outer).suffix(all.count)) == all)
  }
}
