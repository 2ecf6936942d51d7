import Foundation
import TestSupport
import Testing

@testable import Checkpoints

@Suite("Name templates")
struct NameTemplateTests {
  @Test func gapsAreFilledAndFoundAgain() throws {
    let template = NameTemplate("a.res{n+1}.{i}.{*}")
    let filling = try #require(template.match("a.res4.12.weight"))
    #expect(filling.numbers == ["n": 3, "i": 12] && filling.rest == "weight")
    #expect(template.name(filling) == "a.res4.12.weight")
    #expect(NameTemplate("b{n}.{i}.{*}").name(filling) == "b3.12.weight")
    #expect(NameTemplate("{**}").match("x.y")?.rest == "x.y")
    #expect(NameTemplate("x.{**}").match("x.y.z")?.rest == "y.z")
  }

  @Test(arguments: [
    "a.res4.12.norm.weight", "a.res4.12.", "a.res.1.weight", "a.res0.1.weight", "b.res4.1.weight",
    "a.res4.1", "", "a.res99999999999999999999.1.weight", "xa.res4.1.weight",
  ])
  func otherNamesDoNotMatch(name: String) {
    #expect(NameTemplate("a.res{n+1}.{i}.{*}").match(name) == nil)
  }
}

@Suite("Names of the zoos")
struct NameMapTests {
  /// A file in memory of which only names and shapes count.
  private struct Names: WeightSource {
    var shapes: [String: [Int]]
    let path = "names"
    var names: [String] { shapes.keys.sorted() }

    init(_ names: [String]) {
      shapes = Dictionary(names.map { ($0, [1]) }) { first, _ in first }
    }

    func shape(of name: String) -> [Int]? { shapes[name] }
    func type(of name: String) -> StoredType? { .float32 }
    func read<Result>(
      _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result { throw missing(name) }
  }

  /// Our name and the others', copied from published files.
  static let rows: [(ours: String, torchvision: String?, detectron2: String?)] = [
    (
      "backbone.conv1.weight", "backbone.body.conv1.weight", "backbone.bottom_up.stem.conv1.weight"
    ),
    (
      "backbone.bn1.running_var", "backbone.body.bn1.running_var",
      "backbone.bottom_up.stem.conv1.norm.running_var"
    ),
    (
      "backbone.layer1.0.conv1.weight", "backbone.body.layer1.0.conv1.weight",
      "backbone.bottom_up.res2.0.conv1.weight"
    ),
    (
      "backbone.layer4.2.bn3.bias", "backbone.body.layer4.2.bn3.bias",
      "backbone.bottom_up.res5.2.conv3.norm.bias"
    ),
    (
      "backbone.layer3.0.downsample.0.weight", "backbone.body.layer3.0.downsample.0.weight",
      "backbone.bottom_up.res4.0.shortcut.weight"
    ),
    (
      "backbone.layer3.0.downsample.1.running_mean",
      "backbone.body.layer3.0.downsample.1.running_mean",
      "backbone.bottom_up.res4.0.shortcut.norm.running_mean"
    ),
    (
      "neck.lateral_convs.0.conv.weight", "backbone.fpn.inner_blocks.0.0.weight",
      "backbone.fpn_lateral2.weight"
    ),
    (
      "neck.lateral_convs.3.bn.bias", "backbone.fpn.inner_blocks.3.1.bias",
      "backbone.fpn_lateral5.norm.bias"
    ),
    (
      "neck.fpn_convs.1.conv.bias", "backbone.fpn.layer_blocks.1.0.bias",
      "backbone.fpn_output3.bias"
    ),
    (
      "neck.fpn_convs.2.bn.weight", "backbone.fpn.layer_blocks.2.1.weight",
      "backbone.fpn_output4.norm.weight"
    ),
    (
      "rpn_head.rpn_conv.weight", "rpn.head.conv.0.0.weight",
      "proposal_generator.rpn_head.conv.weight"
    ),
    (
      "rpn_head.rpn_cls.bias", "rpn.head.cls_logits.bias",
      "proposal_generator.rpn_head.objectness_logits.bias"
    ),
    (
      "rpn_head.rpn_reg.weight", "rpn.head.bbox_pred.weight",
      "proposal_generator.rpn_head.anchor_deltas.weight"
    ),
    (
      "roi_head.bbox_head.shared_convs.0.conv.weight", "roi_heads.box_head.0.0.weight",
      "roi_heads.box_head.conv1.weight"
    ),
    (
      "roi_head.bbox_head.shared_convs.3.bn.running_var", "roi_heads.box_head.3.1.running_var",
      "roi_heads.box_head.conv4.norm.running_var"
    ),
    (
      "roi_head.bbox_head.shared_fcs.0.bias", "roi_heads.box_head.5.bias",
      "roi_heads.box_head.fc1.bias"
    ),
    (
      "roi_head.mask_head.upsample.weight", "roi_heads.mask_predictor.conv5_mask.weight",
      "roi_heads.mask_head.deconv.weight"
    ),
    ("roi_head.bbox_head.fc_cls.weight", nil, nil),
    ("roi_head.bbox_head.fc_reg.0.bias", nil, nil),
    ("rpn_head.rpn_cls.0.weight", nil, nil),
  ]

  private func check(_ names: [(ours: String, theirs: String?)], _ map: DetectorNameMap) {
    for (ours, theirs) in names {
      #expect(map.names(for: ours).first == theirs, "\(ours)")
      if let theirs { #expect(map.ourName(of: theirs) == ours) }
    }
  }

  @Test func everyZooIsToldFromItsNamesAndMappedBothWays() throws {
    let torchvision = try #require(DetectorNameMap(Names(Self.rows.compactMap(\.torchvision))))
    #expect(torchvision.zoo == .torchvision && !torchvision.isBackboneOnly)
    check(Self.rows.map { ($0.ours, $0.torchvision) }, torchvision)
    let detectron2 = try #require(DetectorNameMap(Names(Self.rows.compactMap(\.detectron2))))
    #expect(detectron2.zoo == .detectron2)
    check(Self.rows.map { ($0.ours, $0.detectron2) }, detectron2)
    let ours = try #require(DetectorNameMap(Names(Self.rows.map(\.ours))))
    #expect(ours.zoo == .ours)
    check(Self.rows.map { ($0.ours, $0.ours) }, ours)
  }

  @Test func aResNetAloneIsABackbone() throws {
    let names = [
      "conv1.weight", "bn1.bias", "layer1.0.conv1.weight", "layer4.1.bn2.weight",
      "layer2.0.downsample.1.bias",
    ]
    for prefix in ["", "module."] {
      let map = try #require(DetectorNameMap(Names((names + ["fc.weight"]).map { prefix + $0 })))
      #expect(map.zoo == .torchvision && map.isBackboneOnly)
      check(names.map { ("backbone." + $0, prefix + $0) }, map)
      #expect(map.ourName(of: prefix + "fc.weight") == nil)
      // The C4 detector's head takes the last stage.
      #expect(
        map.names(for: "roi_head.shared_head.layer4.1.bn2.weight")
          == [prefix + "layer4.1.bn2.weight"])
    }
    let detectron2 = try #require(DetectorNameMap(Names(["stem.conv1.weight"])))
    #expect(detectron2.zoo == .detectron2 && detectron2.isBackboneOnly)
    #expect(detectron2.names(for: "backbone.layer1.0.bn2.bias") == ["res2.0.conv2.norm.bias"])
    let c4 = try #require(DetectorNameMap(Names(["backbone.stem.conv1.weight"])))
    #expect(c4.names(for: "backbone.conv1.weight") == ["backbone.stem.conv1.weight"])
    #expect(
      c4.names(for: "roi_head.shared_head.layer4.0.downsample.0.weight")
        == ["roi_heads.res5.0.shortcut.weight", "backbone.res5.0.shortcut.weight"])
  }

  @Test func whatMeansSomethingElseIsNotMapped() throws {
    let old = try #require(
      DetectorNameMap(
        Names([
          "backbone.body.conv1.weight", "backbone.fpn.inner_blocks.1.bias", "rpn.head.conv.bias",
        ])
      ))
    #expect(old.ourName(of: "backbone.fpn.inner_blocks.1.bias") == "neck.lateral_convs.1.conv.bias")
    #expect(old.ourName(of: "rpn.head.conv.bias") == "rpn_head.rpn_conv.bias")
    #expect(old.ourName(of: "roi_heads.box_head.fc6.weight") == nil)
    #expect(old.ourName(of: "backbone.body.bn1.num_batches_tracked") == nil)
    let second = try #require(
      DetectorNameMap(Names(["backbone.body.conv1.weight", "rpn.head.conv.1.0.weight"])))
    #expect(second.ourName(of: "rpn.head.conv.0.0.weight") == nil)
    #expect(second.names(for: "rpn_head.rpn_reg.bias").isEmpty)
    let classes = try #require(
      DetectorNameMap(
        Names([
          "backbone.conv1.weight", "roi_head.bbox_head.fc_reg.weight",
          "roi_head.bbox_head.shared_fcs.1.weight",
        ])))
    #expect(classes.zoo == .mmdetection)
    for name in ["fc_cls", "fc_reg", "shared_fcs.0"] {
      #expect(classes.names(for: "roi_head.bbox_head.\(name).weight").isEmpty)
    }
    var masks = Names(["backbone.conv1.weight", "roi_head.mask_head.conv_logits.weight"])
    #expect(
      DetectorNameMap(masks)?.ourName(of: "roi_head.mask_head.conv_logits.weight") != nil)
    masks.shapes["roi_head.mask_head.conv_logits.weight"] = [80, 256, 1, 1]
    #expect(DetectorNameMap(masks)?.ourName(of: "roi_head.mask_head.conv_logits.weight") == nil)
    let linear = try #require(
      DetectorNameMap(
        Names(["backbone.bottom_up.stem.conv1.weight", "roi_heads.box_head.fc2.weight"])))
    #expect(linear.ourName(of: "roi_heads.box_head.fc1.weight") == nil)
  }

  @Test func otherFilesHaveNoZoo() {
    #expect(WeightZoo.of(Names(["conv1.weight", "conv2.weight"])) == nil)
    #expect(WeightZoo.of(Names([])) == nil)
    #expect(WeightZoo.of(Names(["token_embedding.weight"])) == .openAI)
    #expect(
      WeightZoo.of(Names(["text_model.embeddings.token_embedding.weight"])) == .huggingFace)
    #expect(WeightZoo.of(Names(["roi_head.clip.text_encoder.token_embedding.weight"])) == .ours)
  }
}
