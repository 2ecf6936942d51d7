extension DetectorConfiguration {
  /// The number of weights, up to norms, biases and the small output layers.
  ///
  /// - Parameter text: Widths of the text encoder.
  package func approximateWeightCount(text: TextWidths) -> Int {
    backboneCount + pyramidCount + proposalCount + headCount(text) + maskCount
  }

  private var backboneCount: Int {
    var count = 3 * 49 * backbone.stemWidth
    var input = backbone.stemWidth
    for (width, blocks) in zip(backbone.stageWidths, backbone.blocks) {
      let output = 4 * width
      count += input * width + 9 * width * width + width * output + input * output
      count += (blocks - 1) * (2 * output * width + 9 * width * width)
      input = output
    }
    return count
  }

  private var pyramidCount: Int {
    guard hasPyramid else { return 0 }
    let inputs = outputStages.reduce(0) { $0 + backbone.width(of: $1) }
    return inputs * neck.channels + outputStages.count * 9 * neck.channels * neck.channels
  }

  private var proposalCount: Int {
    // Objectness and boxes have a 3x3 convolution each where they are detached.
    (rpn.detached ? 2 : 1) * 9 * mapWidth * mapWidth
  }

  private func headCount(_ text: TextWidths) -> Int {
    let width = hasPyramid ? head.fcWidth : backbone.width(of: 4)
    let trunk =
      hasPyramid
      ? head.convolutions * 9 * mapWidth * mapWidth + pooling.size * pooling.size * mapWidth * width
      : 0
    return trunk + width * head.words * text.word
  }

  private var maskCount: Int { mask.enabled ? 5 * 9 * mapWidth * mapWidth : 0 }
}
