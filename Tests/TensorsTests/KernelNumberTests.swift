import KernelLibrary
import TestSupport
import Testing

@testable import Tensors

/// Numbers that a kernel owns and the host must know.
@Suite struct KernelNumberTests {
  @Test(
    "host and kernel agree",
    arguments: [
      ("ELEMENTS_PER_ITEM", "Common/Launch.clh", ComputeStream.elementsPerItem),
      ("LANES", "Common/Launch.clh", KernelLibrary.mostLanes),
      ("SLAB_LANES", "Common/Channels.clh", SumBlocks.slabLanes),
      ("COLUMN_BLOCK", "Reduction.cl", Tensor.columnBlock),
      ("BLOCK", "CrossEntropy.cl", Tensor.lossBlock),
      ("BLOCK", "BoxLoss.cl", Tensor.lossBlock),
      ("QUERIES", "AttentionCPU.cl", AttentionSizes.queries),
      ("KEY_STEP", "AttentionCPU.cl", AttentionSizes.keyStep),
      ("BINS", "TopK.cl", Tensor.topKBins),
      ("BITS", "TopK.cl", Tensor.topKBits),
      ("CHUNK", "TopK.cl", Tensor.topKChunk),
      ("PACKED_ROWS", "MatrixProductCPU.cl", RegisterTile.packedRows),
      ("PACKED_ROWS", "MatrixProduct16BitCPU.cl", RegisterTile.packedRows),
      ("STORAGE_BFLOAT16", "MatrixProduct16BitCPU.cl", ElementType.bfloat16.storage),
      ("EPILOGUE_RESIDUAL", "MatrixEpilogue.clh", MatrixEpilogue.Kind.residual.rawValue),
      ("EPILOGUE_QUICK_GELU", "MatrixEpilogue.clh", MatrixEpilogue.Kind.quickGELU.rawValue),
      ("EPILOGUE_GELU", "MatrixEpilogue.clh", MatrixEpilogue.Kind.gelu.rawValue),
      ("TILE_M", "MatrixProduct.cl", GroupTile.all[0].rows),
      ("TILE_N", "MatrixProduct.cl", GroupTile.all[0].columns),
      ("ITEM_M", "MatrixProduct.cl", GroupTile.all[0].itemRows),
      ("ITEM_N", "MatrixProduct.cl", GroupTile.all[0].itemColumns),
      ("DEPTH", "MatrixProduct.cl", GroupTile.depth),
      ("PAD", "MatrixProduct.cl", GroupTile.pad),
    ])
  func agree(name: String, path: String, host: Int) throws {
    #expect(try kernelNumber(name, in: path) == host)
  }
}
