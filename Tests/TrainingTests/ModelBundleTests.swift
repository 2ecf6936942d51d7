import Checkpoints
import Detection
import Formats
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Model bundle", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct ModelBundleTests {
  /// A trained run and the bundle of it.
  private func exported(
    _ world: inout TrainingWorld, to path: String
  ) throws -> (run: ModelLocation, bundle: ModelBundle) {
    world.configuration.training.iterations = 1
    world.configuration.model.head.detections.scoreThreshold = 0
    let copy = world
    try TestDevice.withContext { try copy.trainer("run", on: $0).train() }
    let run = try ModelLocation(run: world.path("run"), warn: { Issue.record("\($0)") })
    let bundle = try BundleWriter(
      location: run, clipFolder: nil, program: "test", licence: "Ask first."
    ).write(to: path, warn: { Issue.record("\($0)") })
    return (run, bundle)
  }

  private func found(
    _ location: ModelLocation, _ image: Image, _ vocabulary: Vocabulary
  ) throws -> [ObjectDetector.Found] {
    var found: [ObjectDetector.Found] = []
    try TestDevice.withContext { context in
      found = try ObjectDetector(
        location, vocabulary: vocabulary, on: ComputeStream(context: context),
        warn: { Issue.record("\($0)") }
      ).detect([image])[0]
    }
    return found
  }

  /// Masks, two heads and their list of base classes go with the file.
  @Test(arguments: [false, true])
  func itFindsTheSameWithoutTheRun(isFull: Bool) throws {
    var world = try TrainingWorld(images: 4)
    if isFull {
      world.configuration.model.mask.enabled = true
      world.configuration.model.mask.convolutions = 1
      world.configuration.model.mask.channels = 8
      world.configuration.model.head.ensemble = .split
    }
    let elsewhere = try Scratch()
    let path = "\(elsewhere.folder)/model.baron"
    let (run, bundle) = try exported(&world, to: path)
    let image = try ImageDecoder.decode(path: world.path("1.png"))
    let names: [Vocabulary] = [
      .dataSet(try run.classNames()), .classes([.init("violin"), .init("bear")]),
    ]
    let wanted = try names.map { try found(run, image, $0) }
    #expect(wanted.allSatisfy { !$0.isEmpty } && wanted[0].contains { ($0.mask != nil) == isFull })
    // Neither the run nor the split's file may serve any more.
    try FileManager.default.removeItem(atPath: world.scratch.folder)
    let location = try ModelLocation(run: path, warn: { Issue.record("\($0)") })
    #expect(try location.classNames() == TrainingWorld.names)
    #expect(
      try location.classes().map(\.isBase)
        == TrainingWorld.names.map { TrainingWorld.base.contains($0) })
    #expect(location.iteration == 1 && location.name == "model" && bundle.iteration == 1)
    for (vocabulary, wanted) in zip(names, wanted) {
      #expect(try found(location, image, vocabulary) == wanted)
    }
    #expect(location.configuration.clip.folder == "\(path)/clip")
    #expect(location.configuration.data.trainImages.isEmpty)
    #expect(try RegularFile.text("\(path)/LICENCES.txt").contains("Ask first."))
    let text = try CLIPWeights(folder: "\(path)/clip")
    #expect(throws: CheckpointError.self) { try text.tensor("visual.conv1.weight") }
  }

  @Test func aBundleOfABundleIsTheSameButForItsMaker() throws {
    var world = try TrainingWorld(images: 4)
    let (_, bundle) = try exported(&world, to: world.path("model.baron"))
    let again = try BundleWriter(
      location: ModelLocation(run: bundle.path, warn: { _ in }), clipFolder: nil, program: "test"
    ).write(to: world.path("again.baron"), warn: { Issue.record("\($0)") })
    let kept = bundle.parts.filter { $0.name != ModelBundle.licencesName }
    #expect(again.parts.filter { $0.name != ModelBundle.licencesName } == kept)
    #expect(again.classes == bundle.classes)
    // The detector in it is a start like any other file of weights.
    #expect(try openWeights(path: bundle.path).names == openWeights(path: run(world)).names)
  }

  private func run(_ world: TrainingWorld) -> String {
    world.checkpoint("run", 1) + "/model.safetensors"
  }

  @Test func overridesReachTheConfiguration() throws {
    var world = try TrainingWorld(images: 4)
    let (_, bundle) = try exported(&world, to: world.path("model.baron"))
    let location = try ModelLocation(
      run: bundle.path,
      overrides: ["data.validation_images=pictures", "clip.folder=/elsewhere/clip"], warn: { _ in })
    #expect(location.configuration.clip.folder == "/elsewhere/clip")
    // A relative path means the current folder, not the file.
    #expect(
      location.configuration.data.validationImages
        == FileManager.default.currentDirectoryPath + "/pictures")
  }

  @Test func whatIsNotWholeIsRefusedInOneLine() throws {
    var world = try TrainingWorld(images: 4)
    let (_, bundle) = try exported(&world, to: world.path("model.baron"))
    let whole = try Data(contentsOf: URL(filePath: bundle.path))
    func line(_ data: Data, _ name: String = "other.baron") throws -> String {
      let path = try world.scratch.write(data, name)
      do {
        _ = try ModelLocation(run: path, warn: { _ in })
        return "accepted"
      } catch {
        #expect(!"\(error)".contains("\n") && "\(error)".hasPrefix(path))
        return String("\(error)".dropFirst(path.count))
      }
    }
    #expect(try line(whole) == "accepted")
    for share in [0.2, 0.9, 0.999] {
      let cut = whole.prefix(Int(Double(whole.count) * share))
      #expect(try line(Data(cut)).contains("is a zip archive that is cut short"))
    }
    #expect(try line(Data(whole.prefix(20))).contains("does not begin as 'baron export' writes it"))
    // A bit in the middle of each part, and in the manifest.
    for name in bundle.parts.map(\.name) + ["baron.json"] {
      var damaged = whole
      let archive = try ZipArchive(path: bundle.path)
      let entry = try #require(archive.entry(named: name))
      let content = try archive.read(entry) { Data($0) }
      let place = try #require(damaged.firstRange(of: content)).lowerBound + content.count / 2
      damaged[place] ^= 1
      #expect(try line(damaged).contains("damaged"), "\(name)")
    }
    let foreign = StoredZip.archive([("other.json", Array("{}".utf8))])
    #expect(try line(Data(foreign)).contains("does not begin as 'baron export' writes it"))
    for (text, words) in [
      ("{}", "does not describe a model"), ("[", "line 1"),
      (#"{"format": "baron bundle", "version": 99}"#, "use a newer baron"),
      (#"{"format": "baron bundle", "version": 1}"#, "lists no config.yaml"),
      (
        #"{"format": "baron bundle", "version": 1, "parts": [{"name": "config.yaml"}]}"#,
        "lists a part without"
      ),
    ] {
      let archive = StoredZip.archive([("baron.json", Array(text.utf8))])
      #expect(try line(Data(archive)).contains(words), "\(text)")
    }
    #expect {
      _ = try ModelLocation(weights: bundle.path, configuration: world.configuration)
    } throws: {
      "\($0)".hasSuffix("brings its configuration with it: leave out --config")
    }
  }

  @Test func changedDigestsAreSeen() throws {
    var world = try TrainingWorld(images: 4)
    let (_, bundle) = try exported(&world, to: world.path("model.baron"))
    let archive = try ZipArchive(path: bundle.path)
    // Checksums of the archive that fit, digests of the manifest that do not.
    let parts = try archive.entries.map { entry in
      let content = try archive.read(entry) { Data($0) }
      let isOther = entry.name == ModelBundle.licencesName
      return ZipWriter.Part(entry.name, data: isOther ? content + Data("!".utf8) : content)
    }
    let path = world.path("changed.baron")
    try ZipWriter.write(parts, to: path)
    #expect {
      _ = try ModelBundle(path: path)
    } throws: {
      "\($0)".hasPrefix("\(path)/LICENCES.txt: is damaged: its digest differs")
    }
  }

  @Test func aRunWithoutItsDataIsExportedWithoutNames() throws {
    var world = try TrainingWorld(images: 4)
    world.configuration.training.iterations = 1
    let copy = world
    try TestDevice.withContext { try copy.trainer("run", on: $0).train() }
    try FileManager.default.removeItem(atPath: world.path("train.json"))
    try FileManager.default.removeItem(atPath: world.path("split.json"))
    var warnings: [String] = []
    let bundle = try BundleWriter(
      location: ModelLocation(run: world.path("run"), warn: { _ in }), clipFolder: nil,
      program: "test"
    ).write(to: world.path("model.baron")) { warnings.append($0) }
    #expect(warnings.count == 2 && warnings.contains { $0.contains("gives --vocabulary") })
    #expect(warnings.contains { $0.contains("the classes of training cannot be read") })
    #expect(bundle.classes.isEmpty)
    let location = try ModelLocation(run: bundle.path, warn: { _ in })
    #expect {
      _ = try location.classNames()
    } throws: {
      "\($0)".contains("class names could not be read when it was exported")
    }
  }
}
