import Detection
import ONNX

/// The network from picture to maps: ResNet and feature pyramid.
struct BackboneGraph {
  let configuration: DetectorConfiguration
  let weights: GraphWeights

  /// What batch norm adds to the variance.
  private static let epsilon: Float = 1e-5

  /// The maps that proposals and regions are made from, finest first.
  ///
  /// - Parameter input: `[1, 3, H, W]`.
  /// - Returns: `[1, C, H/s, W/s]` for each stride of the proposal network.
  func maps(_ input: GraphValue) throws -> [GraphValue] {
    let stages = try input.graph.scoped("backbone") { try backbone(input) }
    guard configuration.hasPyramid else { return stages }
    return try input.graph.scoped("neck") { try pyramid(stages) }
  }

  private func backbone(_ input: GraphValue) throws -> [GraphValue] {
    var x = try normalised(
      try convolution(input, "backbone.conv1", kernel: 7, stride: 2), "backbone.bn1"
    ).mapped("Relu").maximum(kernel: 3, stride: 2, padding: 1)
    var maps: [GraphValue] = []
    for stage in 1...(configuration.outputStages.max() ?? 1) {
      x = try self.stage(
        x, "backbone.layer\(stage)", blocks: configuration.backbone.blocks[stage - 1],
        stride: stage == 1 ? 1 : 2)
      if configuration.outputStages.contains(stage) { maps.append(x) }
    }
    return maps
  }

  /// Bottlenecks in a row.
  ///
  /// - Parameters:
  ///   - x: `[N, C, H, W]`.
  ///   - name: Where the blocks are named by their number.
  ///   - blocks: Their number.
  ///   - stride: Stride of the first.
  func stage(_ x: GraphValue, _ name: String, blocks: Int, stride: Int) throws -> GraphValue {
    try (0..<blocks).reduce(x) { x, block in
      try bottleneck(x, "\(name).\(block)", stride: block == 0 ? stride : 1, isFirst: block == 0)
    }
  }

  private func bottleneck(
    _ x: GraphValue, _ name: String, stride: Int, isFirst: Bool
  ) throws -> GraphValue {
    let carried =
      isFirst
      ? try normalised(
        try convolution(x, "\(name).downsample.0", kernel: 1, stride: stride),
        "\(name).downsample.1") : x
    let isCaffe = configuration.backbone.style == .caffe
    let strides = [isCaffe ? stride : 1, isCaffe ? 1 : stride, 1]
    var y = x
    for index in 0..<3 {
      y = try normalised(
        try convolution(
          y, "\(name).conv\(index + 1)", kernel: index == 1 ? 3 : 1, stride: strides[index]),
        "\(name).bn\(index + 1)")
      if index < 2 { y = y.mapped("Relu") }
    }
    return (y + carried).mapped("Relu")
  }

  private func pyramid(_ maps: [GraphValue]) throws -> [GraphValue] {
    var levels = try maps.enumerated().map {
      try block($1, "neck.lateral_convs.\($0)", kernel: 1)
    }
    for index in levels.indices.dropLast().reversed() {
      levels[index] = levels[index] + upsampled(levels[index + 1], to: levels[index])
    }
    var results = try levels.enumerated().map { try block($1, "neck.fpn_convs.\($0)", kernel: 3) }
    if let coarsest = results.last {
      results.append(coarsest.maximum(kernel: 1, stride: 2, padding: 0))
    }
    return results
  }

  /// Row h of the result is row floor(h · source / target) of the source.
  private func upsampled(_ top: GraphValue, to lateral: GraphValue) -> GraphValue {
    let graph = top.graph
    guard configuration.input.pad.isMultiple(of: 32) else {
      return [2, 3].reduce(top) { map, axis in
        let target = lateral.length(axis)
        return map.gathered(GraphValue.range(target) * map.length(axis) / target, axis: axis)
      }
    }
    return graph.node(
      "Resize", [top, nil, graph.constant([1, 1, 2, 2], .float)], top.type,
      [
        "mode": .text("nearest"), "coordinate_transformation_mode": .text("asymmetric"),
        "nearest_mode": .text("floor"),
      ])
  }

  /// `name.conv`, then `name.bn` if there is any.
  ///
  /// - Parameters:
  ///   - x: `[N, C, H, W]`.
  ///   - name: Where both are named.
  ///   - kernel: Side of the convolution.
  func block(_ x: GraphValue, _ name: String, kernel: Int) throws -> GraphValue {
    let y = try convolution(x, "\(name).conv", kernel: kernel)
    return try weights.optional("\(name).bn.weight") == nil ? y : normalised(y, "\(name).bn")
  }

  /// A convolution with the bias that it may have.
  ///
  /// - Parameters:
  ///   - x: `[N, C, H, W]`.
  ///   - name: Where its weights are named.
  ///   - kernel: Its side.
  ///   - stride: Its stride.
  func convolution(
    _ x: GraphValue, _ name: String, kernel: Int, stride: Int = 1
  ) throws -> GraphValue {
    x.convolution(
      try weights("\(name).weight"), bias: try weights.optional("\(name).bias"), kernel: kernel,
      stride: stride)
  }

  private func normalised(_ x: GraphValue, _ name: String) throws -> GraphValue {
    x.graph.node(
      "BatchNormalization",
      [
        x, try weights("\(name).weight"), try weights("\(name).bias"),
        try weights("\(name).running_mean"), try weights("\(name).running_var"),
      ], x.type, ["epsilon": .float(Self.epsilon)])
  }
}
