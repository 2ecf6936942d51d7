import Checkpoints
import Foundation
import TestSupport
import Testing

/// A state dict that torchvision itself made, where there is a Python that has it.
@Suite(
  "torchvision's own files",
  .enabled(
    if: Fixtures.python != nil,
    "set BARON_PYTHON to a Python interpreter with torch and torchvision"))
struct TorchvisionTests {
  /// Saves a shallow ResNet, and every tensor beside it as bytes in a file of its name.
  private static let script = """
    import os, sys, torch
    from torchvision.models.resnet import Bottleneck, ResNet
    torch.manual_seed(3)
    model = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=10)
    folder = sys.argv[1]
    torch.save(model.state_dict(), os.path.join(folder, "resnet.pth"))
    for name, value in model.state_dict().items():
        with open(os.path.join(folder, "bytes." + name), "wb") as file:
            file.write(value.contiguous().numpy().tobytes())
    """

  @Test func everyTensorIsReadAndMapped() throws {
    let scratch = try Scratch()
    let process = Process()
    process.executableURL = URL(filePath: Fixtures.python ?? "")
    process.arguments = ["-c", Self.script, scratch.folder]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let source = try openWeights(path: scratch.folder + "/resnet.pth")
    #expect(WeightZoo.of(source) == .torchvision)
    let conversion = try WeightConversion(source, to: .ours)
    #expect(conversion.leftOut == ["fc.bias", "fc.weight"])
    let path = scratch.folder + "/ours.safetensors"
    try conversion.write(to: path)
    let ours = try openWeights(path: path)
    #expect(ours.names.count == 5 + 4 * (4 * 5))
    for name in ours.names {
      let file = scratch.folder + "/bytes." + name.dropFirst("backbone.".count)
      #expect(
        try ours.tensor(named: name).bytes == [UInt8](Data(contentsOf: URL(filePath: file))),
        "\(name)")
    }
  }
}
