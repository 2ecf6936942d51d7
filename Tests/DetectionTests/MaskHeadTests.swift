import Detection
import Layers
import Masks
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct MaskHeadTests {
  private func configuration() -> MaskHeadConfiguration {
    var shape = MaskHeadConfiguration()
    (shape.convolutions, shape.channels) = (2, 4)
    shape.pooling.size = 5
    return shape
  }

  @Test func namesAndShapesAreThoseOfTheReference() throws {
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let head = try MaskHead(store.root, configuration(), inputWidth: 3)
      let shapes = Dictionary(
        uniqueKeysWithValues: store.parameters.map {
          ($0.name, $0.layout.fileShape($0.value.shape))
        })
      #expect(shapes["convs.0.conv.weight"] == [4, 3, 3, 3])
      #expect(shapes["convs.1.bn.running_var"] == [4])
      #expect(shapes["upsample.weight"] == [4, 4, 2, 2] && shapes["upsample.bias"] == [4])
      #expect(shapes["conv_logits.weight"] == [1, 4, 1, 1] && shapes["conv_logits.bias"] == [1])
      #expect(shapes["convs.0.conv.bias"] == nil)
      let logits = try head(
        try Tensor(randomFloats(2 * 25 * 3, seed: 1), shape: [2, 5, 5, 3], on: stream),
        training: true)
      #expect(logits.shape == [2, 5, 5, 2, 2])
    }
  }

  /// Every pixel becomes a square: the map of a transposed convolution, forward and backward.
  @Test func upsamplingMatchesTheHost() throws {
    let (height, width, inputs, outputs) = (3, 2, 3, 2)
    let x = randomFloats(height * width * inputs, seed: 2)
    let file = randomFloats(inputs * outputs * 4, seed: 3)
    let bias = randomFloats(outputs, seed: 4)
    let pull = randomFloats(height * width * 4 * outputs, seed: 5)
    var wanted = [Double](repeating: 0, count: pull.count)
    var gradX = [Double](repeating: 0, count: x.count)
    var gradW = [Double](repeating: 0, count: file.count)
    for cell in 0..<height * width {
      for corner in 0..<4 {
        for output in 0..<outputs {
          let place = (cell * 4 + corner) * outputs + output
          wanted[place] = Double(bias[output])
          for input in 0..<inputs {
            // [I, O, K, K] as PyTorch has it.
            let weight = (input * outputs + output) * 4 + corner
            wanted[place] += Double(x[cell * inputs + input]) * Double(file[weight])
            gradX[cell * inputs + input] += Double(pull[place]) * Double(file[weight])
            gradW[weight] += Double(pull[place]) * Double(x[cell * inputs + input])
          }
        }
      }
    }
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let layer = try TransposedConvolution(
        store.root, inputs: inputs, outputs: outputs, kernel: 2)
      let weight = try #require(store["weight"])
      try weight.value.overwrite(
        with: weight.layout.fromFile(file, shape: weight.value.shape))
      try #require(store["bias"]).value.overwrite(with: bias)
      let input = try Tensor(x, shape: [1, height, width, inputs], on: stream).trained("x")
      let y = try layer.cells(input)
      #expect(y.shape == [1, height, width, 2, 2, outputs])
      expectClose(try y.floats(), wanted, "map")
      try weightedSum([(y, try Tensor(pull, shape: y.shape, on: stream))]).backward()
      expectClose(try #require(input.gradient).floats(), gradX, "input gradient")
      let gradient = try #require(weight.gradient)
      expectClose(
        weight.layout.toFile(try gradient.floats(), shape: gradient.shape), gradW,
        "weight gradient")
      let biasGradient = try #require(store["bias"]?.gradient).floats()
      expectClose(
        biasGradient,
        (0..<outputs).map { output in
          stride(from: output, to: pull.count, by: outputs).reduce(0.0) { $0 + Double(pull[$1]) }
        }, "bias gradient")
    }
  }

  @Test func ordersOfCellsAreInverse() throws {
    try TestDevice.withStream { stream in
      let head = try MaskHead(
        ParameterStore(stream: stream, seed: 1).root, configuration(), inputWidth: 3)
      let values = (0..<200).map { Float($0) }
      #expect(head.cellByCell(head.rowByRow(values)) == values)
      // The first pooled cell is the corner of two rows; the second mask starts at 100.
      let rows = head.rowByRow(values)
      #expect([rows[0], rows[1], rows[10], rows[11]] == [0, 1, 2, 3])
      #expect(rows[2] == 4 && rows[100] == 100)
    }
  }
}
