import Tensors
import TestSupport
import Testing

@testable import Detection

/// Numbers that a kernel owns and the host must know.
@Suite struct KernelNumberTests {
  @Test(
    "host and kernel agree",
    arguments: [
      ("SLICE", "RoIAlignCPU.cl", RoIPooling.slice),
      ("TILE", "RoIAlign.cl", RoIPooling.tile),
      ("CHUNK", "BoxMatching.cl", Tensor.matchingChunk),
      ("BINS", "BoxSampling.cl", Tensor.samplingBins),
    ])
  func agree(name: String, path: String, host: Int) throws {
    #expect(try kernelNumber(name, in: path) == host)
  }
}
