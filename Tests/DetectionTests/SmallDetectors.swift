import Detection

extension DetectorConfiguration {
  /// OV-COCO on a single map with a residual stage as the head (column D of spec training 4.1).
  static var singleMap: DetectorConfiguration {
    var detector = DetectorConfiguration()
    detector.backbone.style = .caffe
    detector.backbone.norm = .frozen
    detector.backbone.frozenStages = 2
    detector.rpn.detached = false
    detector.rpn.anchorStrides = [16]
    detector.head.kind = .c4
    detector.head.words = 4
    return detector
  }
}
