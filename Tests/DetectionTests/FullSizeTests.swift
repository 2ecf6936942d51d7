import Detection
import Foundation
import Geometry
import Layers
import Masks
import Tensors
import TestSupport
import Testing

private let modules = ["torch", "torchvision", "safetensors"]

/// Detectors of the published widths against torchvision's, from a checkpoint with torchvision's names.
///
/// Forward and backward. Needs a Python with torchvision; smaller cases are always compared.
@Suite(
  .serialized,
  .enabled(
    if: PeerPython.python(importing: modules) != nil, "\(PeerPython.missing(modules))"))
struct FullSizeTests {
  /// What the peer wrote, once for all tests.
  private static let folder = Result<TemporaryFolder, any Error> {
    let folder = try TemporaryFolder("full-size")
    try PeerPython.run(script: "detector_full_size.py", arguments: [folder.path])
    return folder
  }

  private func expect(_ got: Tensor?, equals key: String, of fixture: Fixture) throws {
    let tensor = try #require(got, "\(key) is missing")
    let shape = try fixture.shape(key)
    let values = try tensor.floats()
    try expectNear(
      shape.count == 4 ? channelsFirst(values, tensor.shape).values : values, key, of: fixture)
  }

  /// The length of the difference is at most a share of the length that the peer names: a thousandth.
  ///
  /// - Returns: That share.
  @discardableResult private func expectNear(
    _ got: [Float], _ key: String, of fixture: Fixture, limit: Double = 1e-3
  ) throws -> Double {
    let wanted = try fixture.floats(key)
    guard got.count == wanted.count else {
      Issue.record("\(key): \(got.count) values, wanted \(wanted.count)")
      return .infinity
    }
    let length = try #require(fixture.params["length"]?[key]?.number, "\(key) has no length")
    let difference = zip(got, wanted).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    let error = difference.squareRoot() / length
    let own = fixture.params["own_error"]?[key]?.number ?? 0
    #expect(error < limit, "\(key): relative error \(error), the peer's own \(own)")
    return error
  }

  /// Compares the gradient of every parameter that the peer has one of.
  ///
  /// Nine in ten are within a thousandth. A single unit at the edge of its ReLU moves a gradient by up
  /// to five thousandths, in the peer's own float32 too; an error in a formula moves it by far more.
  private func expectGradients(
    _ store: ParameterStore, _ start: StartWeights, _ fixture: Fixture, atLeast count: Int
  ) throws {
    var errors: [Double] = []
    for parameter in store.trained {
      guard let name = start.name(of: parameter.name), fixture.has("grad_p.\(name)") else {
        continue
      }
      let gradient = try #require(parameter.gradient, "\(name) has no gradient")
      errors.append(
        try expectNear(
          parameter.layout.toFile(try gradient.floats(), shape: gradient.shape),
          "grad_p.\(name)", of: fixture, limit: 1e-2))
    }
    #expect(errors.count >= count, "only \(errors.count) gradients were compared")
    #expect(errors.count { $0 < 1e-3 } * 10 >= errors.count * 9, "\(errors.sorted(by: >))")
  }

  /// Winograd's convolutions, which round more, are compared in their outputs only.
  @Test(arguments: [true, false]) func pyramidWithMasks(exact: Bool) throws {
    let folder = try Self.folder.get().path
    let fixture = try Fixture(path: "\(folder)/pyramid.safetensors", name: "pyramid")
    var shape = DetectorConfiguration()
    shape.rpn.detached = false
    shape.mask.enabled = true
    try TestDevice.withContext(exact: exact) { context in
      let stream = try ComputeStream(context: context)
      let store = ParameterStore(stream: stream, seed: 1)
      let detector = try FasterRCNN(
        store.root, shape, text: TextWidths(word: 512, embedding: 512))
      let start = try StartWeights(path: "\(folder)/pyramid.pth")
      let report = try start.load(into: store)
      #expect(
        report.missing.allSatisfy {
          $0.hasPrefix("roi_head.bbox_head.fc_") || $0.hasPrefix("roi_head.bbox_head.bg_")
        }, "\(report.missing)")
      let x = try fixture.tensor("x", on: stream).trained("x")
      let maps = try detector.features(x, training: true)
      let output = try detector.proposalNetwork(maps)
      let rois = try fixture.tensor("rois", on: stream)
      let features = try detector.head.main.features(
        try detector.regionFeatures(maps, regions: rois, training: true), training: true)
      let mask = try #require(detector.maskHead)
      let logits = try mask(try mask.configuration.pooling(maps, regions: rois), training: true)
      var results: [(String, Tensor)] = [("features", features)]
      results += maps.enumerated().map { ("map\($0.offset)", $0.element) }
      results += output.logits.enumerated().map { ("objectness\($0.offset)", $0.element) }
      results += output.deltas.enumerated().map { ("deltas\($0.offset)", $0.element) }
      for (key, tensor) in results { try expect(tensor, equals: key, of: fixture) }
      try expectNear(mask.rowByRow(try logits.floats()), "masks", of: fixture)
      guard exact else { return }
      let weights = try Tensor(
        mask.cellByCell(try fixture.floats("grad_masks")), shape: logits.shape, on: stream)
      try weightedSum(
        try results.map { ($0.1, try fixture.tensor("grad_\($0.0)", on: stream)) }
          + [(logits, weights)]
      ).backward()
      try expect(x.gradient, equals: "grad_x", of: fixture)
      try expectGradients(store, start, fixture, atLeast: 190)
    }
  }

  @Test(arguments: [true, false]) func singleMapWithStridesInFront(exact: Bool) throws {
    let folder = try Self.folder.get().path
    let fixture = try Fixture(path: "\(folder)/single_map.safetensors", name: "single map")
    var shape = DetectorConfiguration.singleMap
    shape.backbone.frozenStages = 0
    try TestDevice.withContext(exact: exact) { context in
      let stream = try ComputeStream(context: context)
      let store = ParameterStore(stream: stream, seed: 1)
      let detector = try FasterRCNN(
        store.root, shape, text: TextWidths(word: 512, embedding: 512))
      let start = try StartWeights(path: "\(folder)/single_map.pth")
      let report = try start.load(into: store)
      #expect(!report.missing.contains { $0.contains("layer") }, "\(report.missing)")
      let x = try fixture.tensor("x", on: stream).trained("x")
      let maps = try detector.features(x, training: true)
      let features = try detector.head.main.features(
        try detector.regionFeatures(
          maps, regions: try fixture.tensor("rois", on: stream), training: true), training: true)
      try expect(maps.first, equals: "map0", of: fixture)
      try expect(features, equals: "features", of: fixture)
      guard exact else { return }
      try weightedSum([
        (try #require(maps.first), try fixture.tensor("grad_map0", on: stream)),
        (features, try fixture.tensor("grad_features", on: stream)),
      ]).backward()
      try expect(x.gradient, equals: "grad_x", of: fixture)
      try expectGradients(store, start, fixture, atLeast: 53)
    }
  }

  @Test func masksOfRegionsAndPictures() throws {
    let folder = try Self.folder.get().path
    let fixture = try Fixture(path: "\(folder)/masks.safetensors", name: "masks")
    let size = try fixture.shape("bitmap")
    let (height, width, side) = (size[0], size[1], try fixture.integer("side"))
    let mask = try RunLengthMask(
      width: width, height: height, bitmap: try fixture.floats("bitmap").map { UInt8($0) })
    let crop = MaskCrop(mask, in: ImageView(width: width, height: height))
    let boxes = [Box](corners: try fixture.floats("boxes"))
    let shares = try fixture.floats("share")
    for (index, box) in boxes.enumerated() {
      let target = crop.target(
        box, width: width, height: height, side: side)
      for (cell, value) in target.enumerated() {
        let share = shares[index * side * side + cell]
        // The share may lie on the threshold itself.
        #expect(abs(share - 0.5) < 1e-5 || value == (share >= 0.5 ? 1 : 0), "\(index) \(cell)")
      }
    }
    let maps = try fixture.floats("maps")
    let pasted = try fixture.floats("pasted")
    for (index, box) in [Box](corners: try fixture.floats("places")).enumerated() {
      let found = try RunLengthMask(
        width: width, height: height,
        pasting: Array(maps[index * side * side..<(index + 1) * side * side]), side: side,
        into: box
      ).bitmap()
      for (pixel, value) in found.enumerated() {
        let wanted = pasted[index * width * height + pixel]
        #expect(abs(wanted - 0.5) < 1e-4 || value == (wanted >= 0.5 ? 1 : 0), "\(index) \(pixel)")
      }
    }
  }
}
