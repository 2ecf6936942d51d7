import Detection
import Geometry
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Proposals against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct ProposalSelectionFixtureTests {
  @Test("the best boxes of all levels", arguments: TestDevice.families)
  func proposals(family: DeviceFamily) throws {
    let files = Fixture.files("rpn", prefix: "proposals_")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let generator = try AnchorGenerator(fixture, under: "anchors")
        let size = (fixture.params["image_hw"]?.array ?? []).compactMap(\.number)
        var (scores, deltas, anchors): ([Tensor], [Tensor], [Box]) = ([], [], [])
        for level in generator.strides.indices {
          let logits = try fixture.tensor("cls\(level)", on: stream)
          scores.append(logits.reshaped([1, logits.count]))
          let moves = try fixture.tensor("reg\(level)", on: stream)
          deltas.append(moves.reshaped([1, logits.count, 4]))
          anchors += HostSampling.anchors(
            generator, level: level, height: logits.shape[1], width: logits.shape[2])
        }
        let proposals = try selectProposals(
          scores: try Tensor.concatenated(scores, axis: 1),
          deltas: try Tensor.concatenated(deltas, axis: 1),
          anchors: try Tensor(anchors.corners, shape: [anchors.count, 4], on: stream),
          imageSizes: [(Float(size[1]), Float(size[0]))],
          levels: RowSegments(
            lengths: scores.map(\.count), limit: try fixture.integer("nms_pre")),
          limit: try fixture.integer("max_per_img"),
          nmsThreshold: Float(try fixture.number("nms_iou")),
          minimumSize: Float(try fixture.number("min_bbox_size")))
        let got = try proposals.readLater().read()[0]
        expectClose(
          got.map(\.box).corners, try fixture.floats("boxes"), relative: fixture.relative,
          absolute: fixture.absolute, "\(file) boxes")
        expectClose(
          got.map(\.score), try fixture.floats("scores"), relative: fixture.relative,
          absolute: fixture.absolute, "\(file) scores")
        // Rows behind the last proposal are zeros.
        let rows = try proposals.boxes.floats()
        #expect(rows[(4 * got.count)...].allSatisfy { $0 == 0 })
      }
    }
  }
}
