import Checkpoints
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Detection

/// Start weights by every zoo's names, written here by rules of the test's own.
@Suite("Start weights", .serialized)
struct StartWeightsTests {
  private static func pyramid() -> DetectorConfiguration {
    var detector = DetectorConfiguration()
    detector.backbone.stemWidth = 4
    detector.backbone.stageWidths = [2, 2, 3, 4]
    detector.backbone.blocks = [1, 2, 1, 1]
    detector.neck.channels = 8
    detector.rpn.detached = false
    (detector.head.fcWidth, detector.head.words) = (10, 3)
    return detector
  }

  private static let text = TextWidths(word: 6, embedding: 6)

  private static func replacing(_ name: String, _ pairs: [(String, String)]) -> String {
    pairs.reduce(name) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
  }

  /// A detectron2 name, or nil for what detectron2 has not.
  private static func detectron2(_ name: String) -> String? {
    if name.contains("fc_cls") || name.contains("fc_reg") || name.contains("bg_embedding") {
      return nil
    }
    var pairs = [
      ("backbone.conv1", "backbone.bottom_up.stem.conv1"),
      ("backbone.bn1", "backbone.bottom_up.stem.conv1.norm"),
      ("rpn_head.rpn_conv", "proposal_generator.rpn_head.conv"),
      ("rpn_head.rpn_cls", "proposal_generator.rpn_head.objectness_logits"),
      ("rpn_head.rpn_reg", "proposal_generator.rpn_head.anchor_deltas"),
      ("roi_head.bbox_head.shared_fcs.0", "roi_heads.box_head.fc1"),
      (".downsample.0.", ".shortcut."), (".downsample.1.", ".shortcut.norm."),
    ]
    for index in 0..<4 {
      pairs += [
        ("backbone.layer\(index + 1)", "backbone.bottom_up.res\(index + 2)"),
        ("neck.lateral_convs.\(index).conv", "backbone.fpn_lateral\(index + 2)"),
        ("neck.lateral_convs.\(index).bn", "backbone.fpn_lateral\(index + 2).norm"),
        ("neck.fpn_convs.\(index).conv", "backbone.fpn_output\(index + 2)"),
        ("neck.fpn_convs.\(index).bn", "backbone.fpn_output\(index + 2).norm"),
        ("roi_head.bbox_head.shared_convs.\(index).conv", "roi_heads.box_head.conv\(index + 1)"),
        ("roi_head.bbox_head.shared_convs.\(index).bn", "roi_heads.box_head.conv\(index + 1).norm"),
        (".bn\(index + 1).", ".conv\(index + 1).norm."),
      ]
    }
    return replacing(name, pairs)
  }

  /// A torchvision name, or nil for what torchvision has not.
  private static func torchvision(_ name: String) -> String? {
    if name.contains("fc_cls") || name.contains("fc_reg") || name.contains("bg_embedding") {
      return nil
    }
    if name.hasPrefix("backbone.") {
      return "backbone.body." + name.dropFirst("backbone.".count)
    }
    return replacing(
      name,
      [
        ("neck.lateral_convs", "backbone.fpn.inner_blocks"),
        ("neck.fpn_convs", "backbone.fpn.layer_blocks"),
        ("roi_head.bbox_head.shared_convs", "roi_heads.box_head"),
        ("roi_head.bbox_head.shared_fcs.0", "roi_heads.box_head.5"),
        ("rpn_head.rpn_conv", "rpn.head.conv.0.0"), ("rpn_head.rpn_cls", "rpn.head.cls_logits"),
        ("rpn_head.rpn_reg", "rpn.head.bbox_pred"), (".conv.weight", ".0.weight"),
        (".bn.", ".1."),
      ])
  }

  private static func resNet(_ name: String) -> String? {
    name.hasPrefix("backbone.") ? String(name.dropFirst("backbone.".count)) : nil
  }

  static let zoos: [(name: String, title: String, rename: @Sendable (String) -> String?)] = [
    ("ours", "our names, which are MMDetection's", { $0 }),
    ("ours wrapped", "our names, which are MMDetection's", { "module." + $0 }),
    ("detectron2", "detectron2", { detectron2($0) }),
    ("torchvision", "torchvision's detectors", { torchvision($0) }),
    ("ResNet", "torchvision's ResNet", { resNet($0) }),
  ]

  /// A model's tensors with random statistics, so that no tensor equals its start value.
  private static func state(
    _ shape: DetectorConfiguration, on stream: ComputeStream
  ) throws -> [(name: String, tensor: HostTensor)] {
    let store = ParameterStore(stream: stream, seed: 1)
    _ = try FasterRCNN(store.root, shape, text: Self.text)
    return try store.state().enumerated().map { index, entry in
      let shape = entry.tensor.shape
      return (
        entry.name,
        HostTensor(
          shape: shape, floats: randomFloats(shape.reduce(1, *), seed: UInt64(index + 1)))
      )
    }
  }

  private func withFile(
    _ shape: DetectorConfiguration = pyramid(),
    change: (inout [(name: String, tensor: HostTensor)]) -> Void = { _ in },
    rename: (String) -> String?,
    _ body: (
      _ path: String, _ stream: ComputeStream, _ state: [(name: String, tensor: HostTensor)]
    ) throws -> Void
  ) throws {
    try TestDevice.withStream { stream in
      let folder = try TemporaryFolder()
      let path = folder.path + "/state.safetensors"
      var state = try Self.state(shape, on: stream)
      change(&state)
      try SafeTensors.write(
        tensors: state.compactMap { name, tensor in rename(name).map { ($0, tensor) } }, to: path)
      try body(path, stream, state)
    }
  }

  /// Loads a file into a new model and compares it with the tensors that went into the file.
  private func check(
    _ path: String, _ shape: DetectorConfiguration, on stream: ComputeStream,
    state: [(name: String, tensor: HostTensor)], isInFile: (String) -> Bool, title: String
  ) throws {
    let start = try StartWeights(path: path)
    let untouched = ParameterStore(stream: stream, seed: 2)
    _ = try FasterRCNN(untouched.root, shape, text: Self.text)
    // Parameters that the file holds need no start values.
    for isSupplied in [{ _ in false }, { start.name(of: $0) != nil }] as [(String) -> Bool] {
      let store = ParameterStore(stream: stream, seed: 2, isSupplied: isSupplied)
      _ = try FasterRCNN(store.root, shape, text: Self.text)
      let report = try start.load(into: store)
      #expect(report.names == title)
      #expect(report.matched == store.parameters.map(\.name).filter(isInFile))
      #expect(report.missing == store.parameters.map(\.name).filter { !isInFile($0) })
      #expect(report.unused.isEmpty && report.reshaped.isEmpty)
      #expect(report.summary.hasPrefix("\(path): \(title): \(report.matched.count) tensors loaded"))
      let wanted = Dictionary(uniqueKeysWithValues: state.map { ($0.name, $0.tensor) })
      for (name, tensor) in try store.state() {
        let start = try untouched.state().first { $0.name == name }?.tensor
        let expected = try (isInFile(name) ? wanted[name] : start)?.floats().map(\.bitPattern)
        let found = try tensor.floats().map(\.bitPattern)
        #expect(found == expected, "\(name)")
      }
    }
  }

  @Test(arguments: 0..<zoos.count)
  func everyZooLoadsBitForBit(index: Int) throws {
    let zoo = Self.zoos[index]
    try withFile(rename: zoo.rename) { path, stream, state in
      try check(
        path, Self.pyramid(), on: stream, state: state, isInFile: { zoo.rename($0) != nil },
        title: zoo.title)
    }
  }

  @Test func theLastStageOfAResNetBecomesTheC4Head() throws {
    var shape = DetectorConfiguration.singleMap
    shape.backbone.stemWidth = 4
    shape.backbone.stageWidths = [2, 2, 3, 4]
    shape.backbone.blocks = [1, 1, 1, 1]
    shape.head.words = 2
    let head = "roi_head.shared_head."
    let rename: (String) -> String? = { name in
      Self.resNet(name) ?? (name.hasPrefix(head) ? String(name.dropFirst(head.count)) : nil)
    }
    try withFile(shape, rename: rename) { path, stream, state in
      try check(
        path, shape, on: stream, state: state, isInFile: { rename($0) != nil },
        title: "torchvision's ResNet")
    }
  }

  private func reason(_ path: String, _ shape: DetectorConfiguration, on stream: ComputeStream)
    throws -> String
  {
    let store = ParameterStore(stream: stream, seed: 2)
    _ = try FasterRCNN(store.root, shape, text: Self.text)
    let error = #expect(throws: CheckpointError.self) {
      _ = try StartWeights(path: path).load(into: store)
    }
    let text = "\(try #require(error))"
    #expect(text.hasPrefix(path) && !text.contains("\n"))
    return text
  }

  @Test func aWrongShapeIsOneLineWithBothNames() throws {
    try withFile(rename: Self.detectron2) { path, stream, _ in
      var shape = Self.pyramid()
      shape.backbone.stageWidths[1] = 5
      let text = try reason(path, shape, on: stream)
      #expect(text.contains("\"backbone.bottom_up.res3.0.conv1.weight\": has shape [2, 8, 1, 1]"))
      #expect(text.contains("needs [5, 8, 1, 1] for \"backbone.layer2.0.conv1.weight\""))
    }
  }

  @Test func anIncompleteBackboneIsRefused() throws {
    try withFile(
      rename: { $0 == "backbone.layer2.0.bn2.running_var" ? nil : Self.torchvision($0) }
    ) { path, stream, _ in
      let text = try reason(path, Self.pyramid(), on: stream)
      #expect(text.contains("no tensor \"backbone.body.layer2.0.bn2.running_var\""))
      #expect(text.contains("as a whole"))
    }
    var deeper = Self.pyramid()
    deeper.backbone.blocks[3] = 2
    try withFile(rename: { $0 }) { path, stream, _ in
      let text = try reason(path, deeper, on: stream)
      #expect(text.contains("\"backbone.layer4.1.conv1.weight\""))
    }
  }

  @Test func otherFilesAreRefused() throws {
    try withFile(rename: { $0 == "neck.fpn_convs.0.bn.bias" ? $0 : nil }) { path, stream, _ in
      let text = try reason(path, Self.pyramid(), on: stream)
      #expect(text.contains("holds no ResNet by our names"))
    }
    try withFile(
      rename: { $0 == "neck.fpn_convs.0.bn.bias" ? "token_embedding.weight" : nil }
    ) { path, stream, _ in
      let text = try reason(path, Self.pyramid(), on: stream)
      #expect(text.contains("clip.folder takes it"))
    }
  }

  @Test func typesAndLengthOneAxesAreAdapted() throws {
    let half = "backbone.layer1.0.conv2.weight"
    let flat = "rpn_head.rpn_reg.weight"
    try withFile(
      change: { state in
        for (index, entry) in state.enumerated() where [half, flat].contains(entry.name) {
          let floats = (try? entry.tensor.floats()) ?? []
          let shape = entry.tensor.shape
          state[index].tensor =
            entry.name == flat
            ? HostTensor(shape: Array(shape.prefix(2)), floats: floats)
            : HostTensor(
              shape: shape, type: .float16,
              bytes: floats.flatMap { StoredZip.little(Float16($0).bitPattern) })
        }
      }, rename: { $0 }
    ) { path, stream, state in
      let store = ParameterStore(stream: stream, seed: 2)
      _ = try FasterRCNN(store.root, Self.pyramid(), text: Self.text)
      let report = try StartWeights(path: path).load(into: store)
      #expect(report.reshaped == [flat])
      #expect(report.summary.hasSuffix("1 reshaped (\(flat))"))
      let loaded = try store.state()
      for name in [half, flat] {
        let wanted = try #require(state.first { $0.name == name }).tensor.floats()
        let found = try #require(loaded.first { $0.name == name }).tensor.floats()
        #expect(found == wanted)
      }
    }
  }
}
