import Foundation
import Geometry
import Pictures
import TestSupport
import Testing

@testable import Annotations

@Suite struct YOLOConverterTests {
  /// A data set of two training pictures and one to validate with.
  private static func dataset(
    description: String? = "path: .\ntrain: images/train\nval: images/val\nnames: [dog, red mug]\n",
    labels: String = "1 0.5 0.5 0.5 0.25\n0 0.1 0.1 0.4 0.1 0.4 0.5\n"
  ) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for part in ["images/train", "images/val", "labels/train", "labels/val"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(part)", withIntermediateDirectories: true)
    }
    for (name, width) in [("train/a", 40), ("train/b c", 20), ("val/v", 30)] {
      try Image(width: width, height: 20, filledWith: Color(1, 2, 3))
        .writePNG("\(folder.path)/images/\(name).png")
    }
    _ = try folder.file("labels/train/a.txt", labels)
    _ = try folder.file("labels/val/v.txt", "0 0.5 0.5 1.2 1\n")
    if let description { _ = try folder.file("data.yaml", description) }
    return folder
  }

  private func convert(
    _ folder: TemporaryFolder, _ path: String = "", _ part: YOLODataset.Part = .train
  ) throws -> (YOLOConverter.Summary, AnnotationIndex) {
    let target = folder.path + "/out.json"
    let summary = try YOLOConverter(YOLODataset(path: folder.path + path)).write(part, to: target)
    return (summary, try AnnotationIndex(path: target))
  }

  @Test(arguments: ["", "/data.yaml"])
  func boxesAndPolygons(path: String) throws {
    let folder = try Self.dataset()
    let (summary, index) = try convert(folder, path)
    #expect(summary.images == 2 && summary.boxes == 2 && summary.classes == ["dog", "red mug"])
    #expect(summary.warnings == ["1 picture has no label file: taken as without objects"])
    let (mug, dog) = (index.annotation(at: 0), index.annotation(at: 1))
    #expect(mug.box.numbers == [10, 7.5, 20, 5] && mug.label == 1)
    #expect(dog.box.numbers == [4, 2, 12, 8] && dog.label == 0)
    #expect(index.image(at: 1).fileName == "b c.png" && index.image(at: 1).width == 20)
    #expect(FileManager.default.fileExists(atPath: "\(summary.folder)/b c.png"))
    let masks = try SegmentationReader(index)
    #expect(masks.hasMask(at: 1) && !masks.hasMask(at: 0))
  }

  @Test func boxesAreClippedToThePicture() throws {
    let (_, index) = try convert(try Self.dataset(), "", .validation)
    #expect(index.annotation(at: 0).box.numbers == [0, 0, 30, 20])
  }

  @Test func foldersWithoutDescriptionTakeTheNamesOfAList() throws {
    let folder = try Self.dataset(description: nil)
    #expect(YOLODataset.isOne(folder.path))
    let error = #expect(throws: DatasetError.self) { try convert(folder) }
    #expect("\(try #require(error))".contains("classes.txt"))
    _ = try folder.file("classes.txt", "dog\nmug\n")
    #expect(try convert(folder).0.classes == ["dog", "mug"])
  }

  @Test(arguments: [
    "names: {0: dog, 1: red mug}\ntrain: images/train\n",
    "train: ../wherever/images/train\nnames: [dog, red mug]\n",
    "train: list.txt\nnames:\n  - dog\n  - red mug\n",
  ])
  func descriptionsOfManyTools(text: String) throws {
    let folder = try Self.dataset(description: text.replacing("../wherever/", with: "../"))
    _ = try folder.file("list.txt", "./images/train/a.png\nimages/train/b c.png\n")
    let (summary, _) = try convert(folder)
    #expect(summary.images == 2 && summary.classes == ["dog", "red mug"])
    #expect(try !YOLODataset(path: folder.path).has(.validation))
  }

  @Test(arguments: [
    ("2 0.5 0.5 0.1 0.1", "names 2 classes"), ("0 0.5 0.5", "has 2 numbers"),
    ("0 17 12 40 30", "are these pixels?"), ("dog 0.5 0.5 0.1 0.1", "must be a class number"),
    ("0 nan 0.5 0.1 0.1", "must be a class number"),
    ("-1 0.5 0.5 0.1 0.1", "must be a class number"),
    ("99999999999999999999 0.5 0.5 0.1 0.1", "must be a class number"), ("", "has a label"),
  ])
  func whatIsWrongIsTold(labels: String, words: String) throws {
    let folder = try Self.dataset(labels: labels + "\n")
    let error = #expect(throws: DatasetError.self) { try convert(folder) }
    let text = "\(try #require(error))"
    #expect(text.contains(words) && !text.contains("\n"), "\(text)")
  }

  @Test func damagedPicturesAreLeftOut() throws {
    let folder = try Self.dataset()
    _ = try folder.file("images/train/z.png", "no picture")
    let (summary, _) = try convert(folder)
    #expect(summary.images == 2 && summary.warnings.contains { $0.contains("left out") })
  }
}
