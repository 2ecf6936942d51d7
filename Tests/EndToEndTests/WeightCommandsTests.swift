import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

/// `baron inspect` and `baron convert` as a user runs them.
@Suite(
  "Weight files on the command line",
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct WeightCommandsTests {
  private static func file(_ scratch: Scratch) throws -> String {
    let path = scratch.folder + "/start.safetensors"
    try SafeTensors.write(
      tensors: [
        ("stem.conv1.weight", HostTensor(shape: [2, 3, 1, 1], floats: [1, 2, 3, 4, 5, 6])),
        ("stem.conv1.norm.bias", HostTensor(shape: [2], floats: [7, 8])),
        ("linear.count", HostTensor(shape: [], wideIntegers: [9])),
      ], to: path)
    return path
  }

  @Test("inspect lists tensors, sums them up and names the zoo")
  func inspect() throws {
    let scratch = try Scratch()
    let path = try Self.file(scratch)
    let table = try BaronProcess.run("inspect", path)
    #expect(table.status == 0, "\(table.errors)")
    #expect(
      table.output == """
        name                  shape    type  bytes
        --------------------  -------  ----  -----
        linear.count          -        I64       8
        stem.conv1.norm.bias  2        F32       8
        stem.conv1.weight     2x3x1x1  F32      24

        3 tensors, 9 numbers, 40 bytes; names: detectron2 (detectron2)

        """)
    let json = try BaronProcess.run("inspect", path, "--json")
    let listing = try JSONValue(parsing: json.output, source: "inspect")
    #expect(listing["zoo"]?.string == "detectron2" && listing["bytes"]?.integer == 40)
    #expect(listing["tensors"]?.array?.count == 3)
    #expect(
      listing["tensors"]?.array?.last?["shape"]?.array?.compactMap(\.integer) == [2, 3, 1, 1])
    #expect(try BaronProcess.run("inspect", path, "--set", "a.b=1").status == 64)
  }

  @Test("inspect says what wrapped a model")
  func inspectWrapped() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/wrapped.safetensors"
    try SafeTensors.write(
      tensors: ["conv1.weight", "layer1.0.conv1.weight"].map {
        ("_orig_mod.module." + $0, HostTensor(shape: [1], floats: [1]))
      }, to: path)
    let table = try BaronProcess.run("inspect", path)
    #expect(
      table.output.contains(
        "2 tensors, 2 numbers, 8 bytes; names: torchvision (torchvision's ResNet), read without "
          + "\"_orig_mod.module.\"\n"), "\(table.output)")
    let listing = try JSONValue(
      parsing: try BaronProcess.run("inspect", path, "--json").output, source: "inspect")
    #expect(listing["wrapper"]?.string == "_orig_mod.module.")
    #expect(listing["keys"]?.array?.isEmpty == true)
  }

  @Test("convert renames and says what it left out")
  func convert() throws {
    let scratch = try Scratch()
    let path = try Self.file(scratch)
    let ours = scratch.folder + "/ours.safetensors"
    let result = try BaronProcess.run("convert", path, ours, "--to", "ours")
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.output == """
        \(ours): 2 tensors
        left out, as ours has no names for them: 1
          linear.count

        """)
    let source = try openWeights(path: ours)
    #expect(source.names == ["backbone.bn1.bias", "backbone.conv1.weight"])
    #expect(try source.tensor(named: "backbone.bn1.bias").floats() == [7, 8])
    let array = scratch.folder + "/bias.npy"
    #expect(
      try BaronProcess.run("convert", path, array, "--tensor", "stem.conv1.norm.bias").status == 0)
    #expect(try NumPyArray.read(path: array).floats() == [7, 8])
    expectError(try BaronProcess.run("convert", path, ours), ours, "exists already")
    expectError(
      try BaronProcess.run("convert", path, scratch.folder + "/x.npy"), "choose it with --tensor")
    expectError(
      try BaronProcess.run("convert", path, scratch.folder + "/x.safetensors", "--to", "openai"),
      "holds no CLIP model")
    let pickle = try BaronProcess.run("convert", path, scratch.folder + "/x.pth")
    #expect(pickle.status == 64 && pickle.errors.contains(".pth is not written"))
    #expect(try BaronProcess.run("convert", path, array, "--to", "ours").status == 64)
  }

  @Test("damaged and foreign files are one line")
  func damaged() throws {
    let scratch = try Scratch()
    let whole = try Data(contentsOf: URL(filePath: try Self.file(scratch)))
    let cut = scratch.folder + "/cut.safetensors"
    try whole.dropLast(9).write(to: URL(filePath: cut))
    expectError(try BaronProcess.run("inspect", cut), cut, "cut short")
    expectError(try BaronProcess.run("inspect", scratch.folder), "config.json", "no such file")
    expectError(try BaronProcess.run("inspect", cut + "x"), "no such file")
  }

  @Test(
    "a start is tried with a configuration",
    .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
  func trial() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    let trained = try BaronProcess.run(
      "train", "coco-mini", "--run", run, "--set", "training.iterations=1", "--set",
      "training.evaluate_every=0", "--set", "training.checkpoint_every=1")
    #expect(trained.status == 0, "\(trained.errors)")
    let checkpoints = try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints")
    let folder = try #require(checkpoints.first { $0.hasPrefix("iteration-") })
    let weights = "\(run)/checkpoints/\(folder)/model.safetensors"
    let detectron2 = scratch.folder + "/d2.safetensors"
    #expect(try BaronProcess.run("convert", weights, detectron2, "--to", "detectron2").status == 0)
    let result = try BaronProcess.run("inspect", detectron2, "--config", "coco-mini", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let report = try JSONValue(parsing: result.output, source: "inspect")
    #expect(report["names"]?.string == "detectron2")
    #expect(report["unused"]?.array?.isEmpty == true)
    #expect(
      report["missing"]?.array?.contains { $0.string == "roi_head.bbox_head.fc_cls.weight" } == true
    )
    #expect(report["warning"]?.string?.contains("model.backbone.style") == true)
    let wrong = try BaronProcess.run(
      "inspect", weights, "--config", "coco-mini", "--set", "model.neck.channels=24")
    expectError(wrong, "neck.lateral_convs.0.conv.weight", "the model needs")
    let again = try BaronProcess.run(
      "train", "coco-mini", "--run", scratch.folder + "/again", "--set", "training.iterations=1",
      "--set", "training.evaluate_every=0", "--set", "model.start=\(detectron2)")
    #expect(again.status == 0, "\(again.errors)")
    #expect((again.errors + again.output).contains("detectron2: "))
    #expect((again.errors + again.output).contains("model.start has detectron2's names"))
  }
}
