import Geometry
import Layers
import Settings

/// Everything that shapes a detector (spec detector 2.1): the section `model` of a configuration.
///
/// The defaults are those of OV-COCO with a feature pyramid and CLIP as teacher (column B of spec
/// training 4.1).
package struct DetectorConfiguration: Sendable, Equatable {
  /// The network that turns an image into feature maps.
  package var backbone = ResNetConfiguration()
  /// The feature pyramid; unused when the head is of kind `c4`.
  package var neck = PyramidConfiguration()
  /// The region proposal network.
  package var rpn = RegionProposalConfiguration()
  /// The box head.
  package var head = BoxHeadConfiguration()
  /// The mask head.
  package var mask = MaskHeadConfiguration()
  /// What the network expects of an image.
  package var input = ImageInputConfiguration()
  /// A checkpoint that the run starts from; empty starts from random weights.
  package var start = ""

  /// Creates the published detector.
  package init() {}
}

extension DetectorConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.section("backbone", &backbone)
    try keys.section("neck", &neck)
    try keys.section("rpn", &rpn)
    try keys.section("head", &head)
    try keys.section("mask", &mask)
    try keys.section("input", &input)
    try keys.path("start", &start)
  }
}

/// What follows from the kind of the head: a pyramid over all stages, or the third stage's map with
/// the fourth stage as part of the head (spec detector 2.2 and 2.6).
extension DetectorConfiguration {
  /// Whether maps of several strides lead to the heads.
  package var hasPyramid: Bool { head.kind == .fpn }

  /// The stages of the backbone that maps are taken from.
  package var outputStages: [Int] { hasPyramid ? [1, 2, 3, 4] : [3] }

  /// Channels of the maps that lead to the heads.
  var mapWidth: Int {
    hasPyramid ? neck.channels : backbone.width(of: outputStages[0])
  }

  /// How regions are pooled.
  package var pooling: RegionPooling {
    hasPyramid
      ? RegionPooling(strides: [4, 8, 16, 32], size: 7) : RegionPooling(strides: [16], size: 14)
  }

  /// What arrives at the box head, given the widths of the text encoder.
  func headWidths(_ text: TextWidths) -> BoxHeadWidths {
    BoxHeadWidths(
      input: hasPyramid ? mapWidth : backbone.width(of: 4), side: pooling.size, text: text)
  }
}

/// The feature pyramid between backbone and heads (spec detector 2.2).
package struct PyramidConfiguration: Sendable, Equatable {
  /// Channels of every level.
  package var channels = 256
  /// How batch norm after its convolutions behaves; nil for biases without norm.
  package var norm: NormMode? = .batch

  /// Creates the published pyramid.
  package init() {}
}

extension PyramidConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("channels", &channels, .whole(1...4096))
    try keys.field("norm", &norm)
  }
}

/// What an image is turned into before the first convolution (spec detector 2.1).
package struct ImageInputConfiguration: Sendable, Equatable {
  /// The order of colour channels.
  package enum Order: String, Sendable, CaseIterable {
    /// Red, green, blue.
    case rgb
    /// Blue, green, red.
    case bgr
  }

  /// Subtracted from each channel, in the order of ``order``; values of 0...255.
  package var mean: [Float] = [123.675, 116.28, 103.53]
  /// What each channel is then divided by.
  package var std: [Float] = [58.395, 57.12, 57.375]
  /// The order of the channels.
  package var order = Order.rgb
  /// Width and height are filled up with zeros to a multiple of this many pixels.
  package var pad = ImageView.paddingUnit

  /// Creates the published input.
  package init() {}
}

extension ImageInputConfiguration.Order: SettingsChoice {}

extension ImageInputConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("mean", &mean, .list(of: 3, .finite))
    try keys.field("std", &std, .list(of: 3, .positive))
    try keys.field("order", &order)
    try keys.field("pad", &pad, .whole(1...1024))
  }
}

extension NormMode: SettingsChoice {}
