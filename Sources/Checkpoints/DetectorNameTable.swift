/// A detector's tensors by our names and by those of another program, one table per program.
///
/// Our names are those of MMDetection and of the reference program. The first row that fits counts;
/// a later row for the same name of ours is an older or a shorter spelling of the other program.
/// Class-specific predictors have no row: they do not fit a detector that compares words.
///
/// Source: spec detector 2.11.
enum DetectorNameTable {
  /// One row.
  struct Row: Sendable {
    let ours: NameTemplate
    let theirs: NameTemplate

    init(_ ours: String, _ theirs: String) {
      self.ours = NameTemplate(ours)
      self.theirs = NameTemplate(theirs)
    }
  }

  /// The names are equal.
  static let same = [Row("{**}", "{**}")]

  /// A ResNet that stands alone, by torchvision's names; MMDetection's start weights have them too.
  static let backbone = [
    Row("backbone.conv1.{*}", "conv1.{*}"),
    Row("backbone.bn1.{*}", "bn1.{*}"),
    Row("backbone.layer{n}.{**}", "layer{n}.{**}"),
    // The C4 detector has the last stage in its head.
    Row("roi_head.shared_head.layer4.{**}", "layer4.{**}"),
  ]

  /// torchvision's detectors.
  static let torchvision = [
    Row("backbone.{**}", "backbone.body.{**}"),
    Row("neck.lateral_convs.{i}.conv.{*}", "backbone.fpn.inner_blocks.{i}.0.{*}"),
    Row("neck.lateral_convs.{i}.bn.{*}", "backbone.fpn.inner_blocks.{i}.1.{*}"),
    Row("neck.lateral_convs.{i}.conv.{*}", "backbone.fpn.inner_blocks.{i}.{*}"),
    Row("neck.fpn_convs.{i}.conv.{*}", "backbone.fpn.layer_blocks.{i}.0.{*}"),
    Row("neck.fpn_convs.{i}.bn.{*}", "backbone.fpn.layer_blocks.{i}.1.{*}"),
    Row("neck.fpn_convs.{i}.conv.{*}", "backbone.fpn.layer_blocks.{i}.{*}"),
    Row("rpn_head.rpn_conv.{*}", "rpn.head.conv.0.0.{*}"),
    Row("rpn_head.rpn_conv.{*}", "rpn.head.conv.{*}"),
    Row("rpn_head.rpn_cls.{*}", "rpn.head.cls_logits.{*}"),
    Row("rpn_head.rpn_reg.{*}", "rpn.head.bbox_pred.{*}"),
    Row("roi_head.bbox_head.shared_fcs.0.{*}", "roi_heads.box_head.5.{*}"),
    Row("roi_head.bbox_head.shared_convs.{i}.conv.{*}", "roi_heads.box_head.{i}.0.{*}"),
    Row("roi_head.bbox_head.shared_convs.{i}.bn.{*}", "roi_heads.box_head.{i}.1.{*}"),
    Row("roi_head.mask_head.convs.{i}.conv.{*}", "roi_heads.mask_head.{i}.0.{*}"),
    Row("roi_head.mask_head.convs.{i}.bn.{*}", "roi_heads.mask_head.{i}.1.{*}"),
    Row("roi_head.mask_head.convs.{i}.conv.{*}", "roi_heads.mask_head.mask_fcn{i+1}.{*}"),
    Row("roi_head.mask_head.upsample.{*}", "roi_heads.mask_predictor.conv5_mask.{*}"),
    Row("roi_head.mask_head.conv_logits.{*}", "roi_heads.mask_predictor.mask_fcn_logits.{*}"),
  ]

  /// detectron2's detectors; the ResNet stands under a prefix that differs between them.
  static func detectron2(backbone prefix: String) -> [Row] {
    stem(prefix) + stages("backbone.layer{n}.", "\(prefix)res{n+1}.")
      + stages("roi_head.shared_head.layer4.", "roi_heads.res5.")
      + stages("roi_head.shared_head.layer4.", "\(prefix)res5.") + detectron2Heads
  }

  private static func stem(_ prefix: String) -> [Row] {
    [
      Row("backbone.conv1.{*}", "\(prefix)stem.conv1.{*}"),
      Row("backbone.bn1.{*}", "\(prefix)stem.conv1.norm.{*}"),
    ]
  }

  private static func stages(_ ours: String, _ theirs: String) -> [Row] {
    [
      Row("\(ours){i}.conv{j}.{*}", "\(theirs){i}.conv{j}.{*}"),
      Row("\(ours){i}.bn{j}.{*}", "\(theirs){i}.conv{j}.norm.{*}"),
      Row("\(ours){i}.downsample.0.{*}", "\(theirs){i}.shortcut.{*}"),
      Row("\(ours){i}.downsample.1.{*}", "\(theirs){i}.shortcut.norm.{*}"),
    ]
  }

  private static let detectron2Heads = [
    Row("neck.lateral_convs.{i}.conv.{*}", "backbone.fpn_lateral{i+2}.{*}"),
    Row("neck.lateral_convs.{i}.bn.{*}", "backbone.fpn_lateral{i+2}.norm.{*}"),
    Row("neck.fpn_convs.{i}.conv.{*}", "backbone.fpn_output{i+2}.{*}"),
    Row("neck.fpn_convs.{i}.bn.{*}", "backbone.fpn_output{i+2}.norm.{*}"),
    Row("rpn_head.rpn_conv.{*}", "proposal_generator.rpn_head.conv.{*}"),
    Row("rpn_head.rpn_cls.{*}", "proposal_generator.rpn_head.objectness_logits.{*}"),
    Row("rpn_head.rpn_reg.{*}", "proposal_generator.rpn_head.anchor_deltas.{*}"),
    Row("roi_head.bbox_head.shared_fcs.0.{*}", "roi_heads.box_head.fc1.{*}"),
    Row("roi_head.bbox_head.shared_convs.{i}.conv.{*}", "roi_heads.box_head.conv{i+1}.{*}"),
    Row("roi_head.bbox_head.shared_convs.{i}.bn.{*}", "roi_heads.box_head.conv{i+1}.norm.{*}"),
    Row("roi_head.mask_head.convs.{i}.conv.{*}", "roi_heads.mask_head.mask_fcn{i+1}.{*}"),
    Row("roi_head.mask_head.convs.{i}.bn.{*}", "roi_heads.mask_head.mask_fcn{i+1}.norm.{*}"),
    Row("roi_head.mask_head.upsample.{*}", "roi_heads.mask_head.deconv.{*}"),
    Row("roi_head.mask_head.conv_logits.{*}", "roi_heads.mask_head.predictor.{*}"),
  ]
}
