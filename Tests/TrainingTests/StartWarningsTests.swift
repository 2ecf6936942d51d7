import Checkpoints
import Detection
import Layers
import TestSupport
import Testing

@testable import Training

@Suite("Warnings about start weights")
struct StartWarningsTests {
  private func warning(
    _ names: [String], _ style: BackboneStyle
  ) throws -> String? {
    let scratch = try Scratch()
    let path = scratch.folder + "/start.safetensors"
    try SafeTensors.write(
      tensors: names.map { ($0, HostTensor(shape: [1], floats: [1])) }, to: path)
    var model = DetectorConfiguration()
    model.backbone.style = style
    return try StartWeights(path: path).warning(for: model)
  }

  @Test func onlyAnOriginOfTheOtherStyleIsWarnedOf() throws {
    let detectron2 = ["backbone.bottom_up.stem.conv1.weight"]
    let torchvision = ["conv1.weight", "layer1.0.conv1.weight"]
    let ours = ["backbone.conv1.weight"]
    #expect(try warning(detectron2, .pytorch)?.contains("set model.backbone.style: caffe") == true)
    #expect(try warning(detectron2, .caffe) == nil)
    #expect(
      try warning(torchvision, .caffe)?.contains("set model.backbone.style: pytorch") == true)
    #expect(try warning(torchvision, .pytorch) == nil)
    for style in BackboneStyle.allCases {
      let found = try warning(ours, style)
      #expect(found == nil)
    }
  }
}
