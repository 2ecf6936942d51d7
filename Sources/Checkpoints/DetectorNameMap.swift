/// How the tensors of one detector or backbone file are named, told from the names themselves.
package struct DetectorNameMap: Sendable {
  /// Where the ResNet of a file stands.
  private enum Layout: String, CaseIterable {
    case ours = "backbone.conv1.weight"
    case torchvision = "backbone.body.conv1.weight"
    case detectron2Pyramid = "backbone.bottom_up.stem.conv1.weight"
    case detectron2C4 = "backbone.stem.conv1.weight"
    case detectron2Backbone = "stem.conv1.weight"
    case backbone = "conv1.weight"
  }

  /// Whose names they are.
  package let zoo: WeightZoo
  /// The zoo in words.
  package let title: String
  /// Whether the file holds a ResNet alone.
  package let isBackboneOnly: Bool
  private let rows: [DetectorNameTable.Row]
  /// What training programs put before the names; empty, or with its dot at the end.
  package let prefix: String
  /// Beginnings of names whose tensors mean something else than ours of that name.
  private let excluded: [String]

  /// Tells the layout of a file; nil when it holds no ResNet by any known name.
  ///
  /// - Parameter source: The file.
  package init?(_ source: any WeightSource) {
    for layout in Layout.allCases {
      for prefix in WeightWrappers.prefixes(before: layout.rawValue, in: source.names) {
        // Other models begin with a convolution "conv1" too.
        if layout == .backbone, source.shape(of: prefix + "layer1.0.conv1.weight") == nil {
          continue
        }
        self.init(layout, prefix: prefix) { source.shape(of: prefix + $0) }
        return
      }
    }
    return nil
  }

  /// The names that a zoo gives to what is written.
  ///
  /// - Parameters:
  ///   - zoo: A zoo of detectors.
  ///   - ourNames: Our names of what there is: they tell a ResNet from a detector.
  init(writing zoo: WeightZoo, ourNames: [String]) {
    let isBackbone = ourNames.allSatisfy { $0.hasPrefix("backbone.") }
    let isC4 = ourNames.contains { $0.hasPrefix("roi_head.shared_head.") }
    let layout: Layout =
      switch zoo {
      case .torchvision: isBackbone ? .backbone : .torchvision
      case .detectron2: isBackbone ? .detectron2Backbone : isC4 ? .detectron2C4 : .detectron2Pyramid
      default: .ours
      }
    self.init(layout, prefix: "") { _ in nil }
  }

  private init(_ layout: Layout, prefix: String, shape: (String) -> [Int]?) {
    var excluded: [String] = []
    var zoo = WeightZoo.ours
    switch layout {
    case .ours:
      rows = DetectorNameTable.same
      title = "our names, which are MMDetection's"
      if shape("roi_head.bbox_head.fc_reg.weight") != nil {
        // Predictors with rows per class; ours have words and one box.
        zoo = .mmdetection
        excluded = ["roi_head.bbox_head.fc_cls.", "roi_head.bbox_head.fc_reg."]
      }
      if shape("roi_head.bbox_head.shared_fcs.1.weight") != nil {
        zoo = .mmdetection
        excluded.append("roi_head.bbox_head.shared_fcs.")
      }
      if let logits = shape("roi_head.mask_head.conv_logits.weight"), logits.first != 1 {
        excluded.append("roi_head.mask_head.conv_logits.")
      }
    case .backbone:
      (rows, zoo) = (DetectorNameTable.backbone, .torchvision)
      title = "torchvision's ResNet"
    case .torchvision:
      (rows, zoo) = (DetectorNameTable.torchvision, .torchvision)
      title = "torchvision's detectors"
      // Version 2 has a second convolution there, so that the first means something else.
      if shape("rpn.head.conv.1.0.weight") != nil { excluded = ["rpn."] }
      if let logits = shape("roi_heads.mask_predictor.mask_fcn_logits.weight"), logits.first != 1 {
        excluded.append("roi_heads.mask_predictor.mask_fcn_logits.")
      }
    case .detectron2Pyramid, .detectron2C4, .detectron2Backbone:
      let place = layout.rawValue.dropLast("stem.conv1.weight".count)
      (rows, zoo) = (DetectorNameTable.detectron2(backbone: String(place)), .detectron2)
      title = "detectron2"
      // A head of two linear layers: its first is another thing than ours.
      if shape("roi_heads.box_head.fc2.weight") != nil { excluded = ["roi_heads.box_head."] }
      if let logits = shape("roi_heads.mask_head.predictor.weight"), logits.first != 1 {
        excluded.append("roi_heads.mask_head.predictor.")
      }
    }
    self.zoo = zoo
    self.prefix = prefix
    self.excluded = excluded
    isBackboneOnly = layout == .backbone || layout == .detectron2Backbone
  }

  /// The names that a parameter of ours may have in the file, the likeliest first.
  ///
  /// - Parameter ours: Our name.
  /// - Returns: The names; none when the zoo has no such tensor or means something else by it.
  package func names(for ours: String) -> [String] {
    rows.compactMap { row in row.ours.match(ours).map { row.theirs.name($0) } }
      .filter(isMapped).map { prefix + $0 }
  }

  /// Our name of a tensor of the file.
  ///
  /// - Parameter name: The name in the file.
  /// - Returns: Our name, or nil when there is none.
  package func ourName(of name: String) -> String? {
    guard name.hasPrefix(prefix) else { return nil }
    let bare = String(name.dropFirst(prefix.count))
    guard isMapped(bare), !Self.isCounter(bare) else { return nil }
    for row in rows {
      if let filling = row.theirs.match(bare) { return row.ours.name(filling) }
    }
    return nil
  }

  private func isMapped(_ bare: String) -> Bool {
    !excluded.contains { bare.hasPrefix($0) }
  }

  /// Whether a tensor only counts the batches that PyTorch's batch norm has seen.
  ///
  /// - Parameter name: Its name in the file.
  /// - Returns: True for a counter, which nothing needs.
  package static func isCounter(_ name: String) -> Bool { name.hasSuffix(".num_batches_tracked") }
}
