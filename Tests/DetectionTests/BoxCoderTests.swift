import Detection
import Foundation
import Geometry
import Tensors
import TestSupport
import Testing

extension BoxCoder {
  /// The coder that a fixture's parameters describe.
  init(_ fixture: Fixture, under key: String? = nil, means: String, deviations: String) throws {
    let parameters = key.flatMap { fixture.params[$0] } ?? fixture.params
    func floats(_ key: String) throws -> [Float] {
      try #require(parameters[key]?.array).compactMap { $0.number.map { Float($0) } }
    }
    let ratio = parameters["wh_ratio_clip"]?.number ?? 16.0 / 1000
    self.init(
      BoxCoding(
        means: try floats(means), deviations: try floats(deviations),
        maximumLogSize: Float(abs(log(ratio)))))
  }

  /// A reference box moved by a normalised delta.
  ///
  /// - Parameters:
  ///   - delta: dx, dy, dw, dh.
  ///   - reference: Where to start.
  /// - Returns: The box, not limited to the image.
  func decoded(_ delta: [Float], from reference: Box) -> Box {
    precondition(delta.count == 4, "a box has four deltas")
    let raw = (0..<4).map { delta[$0] * coding.deviations[$0] + coding.means[$0] }
    let limit = coding.maximumLogSize
    let x = 0.5 * (reference.x1 + reference.x2) + raw[0] * reference.width
    let y = 0.5 * (reference.y1 + reference.y2) + raw[1] * reference.height
    let halfWidth = 0.5 * reference.width * exp(min(max(raw[2], -limit), limit))
    let halfHeight = 0.5 * reference.height * exp(min(max(raw[3], -limit), limit))
    return Box(x1: x - halfWidth, y1: y - halfHeight, x2: x + halfWidth, y2: y + halfHeight)
  }
}

@Suite("Box coder")
struct BoxCoderTests {
  @Test("a box moved and doubled, and back")
  func roundTrip() {
    let reference = Box(x1: 0, y1: 0, x2: 10, y2: 20)
    let target = Box(x1: 0, y1: 10, x2: 20, y2: 30)
    let delta = BoxCoder.proposals.encoded(target, from: reference)
    expectClose(delta, [5, 5, 5 * log(2.0), 0], "delta")
    expectClose(
      [BoxCoder.proposals.decoded(delta, from: reference)].corners, [target].corners, "box")
  }

  @Test("sizes change by at most 1000/16")
  func limit() {
    let unit = Box(x1: 0, y1: 0, x2: 1, y2: 1)
    let large = BoxCoder.anchors.decoded([0, 0, 100, -100], from: unit)
    expectClose([large.width, large.height], [62.5, 0.016], "sizes")
  }
}

@Suite("Box coder against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct BoxCoderFixtureTests {
  @Test("deltas and boxes")
  func coder() throws {
    let files = Fixture.files("rpn", prefix: "coder_")
    try #require(!files.isEmpty)
    for file in files {
      let fixture = try Fixture(file)
      let coder = try BoxCoder(fixture, means: "means", deviations: "stds")
      let size = (fixture.params["image_hw"]?.array ?? []).compactMap(\.number)
      let boxes = [Box](corners: try fixture.floats("boxes"))
      let encoded = zip([Box](corners: try fixture.floats("targets")), boxes).map {
        coder.encoded($0, from: $1)
      }
      func expect(_ got: [Float], _ key: String) throws {
        expectClose(
          got, try fixture.floats(key), relative: fixture.relative, absolute: fixture.absolute,
          "\(file) \(key)")
      }
      try expect(encoded.flatMap { $0 }, "encoded")
      let deltas = try fixture.floats("deltas")
      let decoded = boxes.enumerated().map { index, box in
        coder.decoded(Array(deltas[4 * index..<4 * index + 4]), from: box)
      }
      try expect(decoded.corners, "decoded_unclipped")
      let inside = decoded.map { $0.clipped(width: Float(size[1]), height: Float(size[0])) }
      try expect(inside.corners, "decoded")
      try expect(zip(encoded, boxes).map { coder.decoded($0, from: $1) }.corners, "roundtrip")
    }
  }
}
