import Layers
import Testing

@Suite("Parameter layouts")
struct ParameterLayoutTests {
  /// Distinct values, so that every misplaced element shows.
  private static func values(_ shape: [Int]) -> [Float] {
    (0..<shape.reduce(1, *)).map(Float.init)
  }

  @Test(
    "Convolution weights are O, I, H, W in a file and O, H, W, I on the device",
    arguments: [
      [1, 1, 1, 1], [4, 1, 1, 7], [2, 3, 3, 5], [3, 2, 5, 4], [0, 3, 3, 2],
    ])
  func convolution(shape: [Int]) {
    let (outputs, height, width, inputs) = (shape[0], shape[1], shape[2], shape[3])
    let layout = ParameterLayout.convolution
    #expect(layout.fileShape(shape) == [outputs, inputs, height, width])
    let file = Self.values(shape)
    let device = layout.fromFile(file, shape: shape)
    for o in 0..<outputs {
      for h in 0..<height {
        for w in 0..<width {
          for i in 0..<inputs {
            #expect(
              device[((o * height + h) * width + w) * inputs + i]
                == file[((o * inputs + i) * height + h) * width + w])
          }
        }
      }
    }
    #expect(layout.toFile(device, shape: shape) == file)
    #expect(layout.fromFile(layout.toFile(file, shape: shape), shape: shape) == file)
  }

  @Test(
    "Transposed convolutions are I, O, K, K in a file and K, K, O, I on the device",
    arguments: [[2, 3, 5], [1, 1, 4], [3, 2, 1], [2, 1, 1]])
  func transposedConvolution(sizes: [Int]) {
    let (kernel, outputs, inputs) = (sizes[0], sizes[1], sizes[2])
    let layout = ParameterLayout.transposedConvolution(kernel: kernel)
    let shape = [kernel * kernel * outputs, inputs]
    #expect(layout.fileShape(shape) == [inputs, outputs, kernel, kernel])
    let file = Self.values(shape)
    let device = layout.fromFile(file, shape: shape)
    for i in 0..<inputs {
      for o in 0..<outputs {
        for k in 0..<kernel * kernel {
          #expect(
            device[(k * outputs + o) * inputs + i] == file[(i * outputs + o) * kernel * kernel + k])
        }
      }
    }
    #expect(layout.toFile(device, shape: shape) == file)
  }

  @Test(
    "A linear layer over a flattened map is C, H, W in a file and H, W, C on the device",
    arguments: [[1, 1, 1, 1], [3, 2, 7, 7], [2, 5, 1, 3], [4, 3, 2, 1]])
  func flattened(sizes: [Int]) {
    let (outputs, channels, height, width) = (sizes[0], sizes[1], sizes[2], sizes[3])
    let layout = ParameterLayout.flattened(channels: channels, height: height, width: width)
    let shape = [outputs, channels * height * width]
    #expect(layout.fileShape(shape) == shape)
    let file = Self.values(shape)
    let device = layout.fromFile(file, shape: shape)
    for o in 0..<outputs {
      let row = o * channels * height * width
      for c in 0..<channels {
        for h in 0..<height {
          for w in 0..<width {
            #expect(
              device[row + (h * width + w) * channels + c]
                == file[row + (c * height + h) * width + w])
          }
        }
      }
    }
    #expect(layout.toFile(device, shape: shape) == file)
  }

  @Test("A plain parameter is the same in both")
  func plain() {
    let file = Self.values([2, 3])
    #expect(ParameterLayout.plain.fileShape([2, 3]) == [2, 3])
    #expect(ParameterLayout.plain.fromFile(file, shape: [2, 3]) == file)
    #expect(ParameterLayout.plain.toFile(file, shape: [2, 3]) == file)
  }
}
