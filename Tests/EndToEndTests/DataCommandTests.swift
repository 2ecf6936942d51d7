import Annotations
import Formats
import Foundation
import TestSupport
import Testing

/// `baron split` and `baron convert-data` as a user runs them.
@Suite(
  "Preparing data",
  .enabled(
    if: BaronProcess.path != nil && Fixture.dataAvailable,
    "the program or the test data are missing"))
struct DataCommandTests {
  private static let data = "\(Fixture.sharedFolder)/data"

  private static func lists(_ path: String) throws -> [String: JSONValue] {
    try #require(try JSONValue(contentsOf: path).object)
  }

  @Test("the files of OV-COCO come out as they were published")
  func coco() throws {
    let scratch = try Scratch()
    let folder = scratch.folder + "/split"
    let annotations = "\(Self.data)/coco-mini/annotations"
    for (name, parts) in [("train", ["base", "novel"]), ("val", ["base", "novel", "base_novel"])] {
      let result = try BaronProcess.run(
        "split", "coco", "\(annotations)/instances_\(name).json", "-o", folder)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.split(separator: "\n").count == 3)
      for part in parts {
        let file = "instances_\(name)_\(part).json"
        #expect(try Self.lists("\(folder)/\(file)") == Self.lists("\(annotations)/\(file)"))
      }
    }
    let compact = try BaronProcess.run(
      "split", "coco", "\(annotations)/instances_train.json", "--split",
      "\(annotations)/ov_coco_classes.json", "-o", folder, "--compact")
    #expect(
      compact.output.hasPrefix(
        "\(folder)/instances_train_base.json: 727 annotations, 100 images (100 annotated), 48 "
          + "categories\n"), "\(compact.output)")
    let own = try scratch.write(
      #"{"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1, "name": "Bus"}]}"#,
      "own.json")
    expectError(
      try BaronProcess.run("split", "coco", own, "-o", folder), "own.json", "\"person\"", "--split")
  }

  @Test("rare classes of LVIS are novel")
  func lvis() throws {
    let scratch = try Scratch()
    let source = "\(Self.data)/lvis-mini/annotations/lvis_v1style_val_mini.json"
    let result = try BaronProcess.run("split", "lvis", source, "-o", scratch.folder)
    #expect(result.status == 0, "\(result.errors)")
    // No object of the sample is of a rare class, so the base file is the whole one.
    let base = "\(scratch.folder)/lvis_v1style_val_mini_base.json"
    #expect(try Self.lists(base) == Self.lists(source))
    #expect(result.output.contains("_novel.json: 0 annotations, 40 images (0 annotated), 1203"))
    let compact = try BaronProcess.run(
      "split", "lvis", source, "-o", scratch.folder, "--compact")
    // Images name classes that they do not have, so all classes stay.
    #expect(try COCOAnnotations(path: base).categories.count == 1203)
    #expect(compact.output.contains("_novel.json: 0 annotations, 0 images (0 annotated), 1203"))
    let coco = "\(Self.data)/coco-mini/annotations/instances_val.json"
    expectError(
      try BaronProcess.run("split", "lvis", coco, "-o", scratch.folder), "frequency", "split coco")
  }

  @Test("PASCAL VOC becomes COCO")
  func voc() throws {
    let scratch = try Scratch()
    let target = scratch.folder + "/voc.json"
    let result = try BaronProcess.run("convert-data", "voc", "\(Self.data)/voc-mini", "-o", target)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.hasPrefix("\(target): 3 images, "))
    #expect(result.output.contains("(0 difficult) of 20 classes"))
    expectError(
      try BaronProcess.run("convert-data", "voc", scratch.folder, "-o", target), "Annotations/*.xml"
    )
    expectError(
      try BaronProcess.run(
        "convert-data", "voc", "\(Self.data)/voc-mini", "--image-set", "test", "-o", target),
      "ImageSets/Main/test.txt")
  }

  @Test("the index of a large file is kept, and told when it does not fit")
  func index() throws {
    let scratch = try Scratch()
    let large = scratch.folder + "/large.json"
    let made = try BaronProcess.run(
      "bench-annotations", "repeat", "\(Self.data)/coco-mini/annotations/instances_val.json", "-o",
      large, "--megabytes", "10")
    #expect(made.status == 0, "\(made.errors)")
    func read() throws -> BaronProcess.Result {
      try BaronProcess.run(
        "bench-annotations", "read", large, environment: ["BARON_CACHE": scratch.folder + "/cache"])
    }
    let first = try read()
    // The copies share their pictures, which is told.
    let shared = try #require(first.errors.split(separator: "\n").first)
    #expect(first.status == 0 && shared.contains("have the picture of another"), "\(first.errors)")
    let kept = try FileManager.default.contentsOfDirectory(
      atPath: scratch.folder + "/cache/annotations")
    #expect(kept.count == 1)
    let counts = try #require(first.output.split(separator: "\n").first)
    #expect(try read().output.hasPrefix(counts))
    let place = "\(scratch.folder)/cache/annotations/\(kept[0])"
    try Data("no index".utf8).write(to: URL(filePath: place))
    let again = try read()
    #expect(again.output.hasPrefix(counts))
    #expect(
      again.errors.hasPrefix(
        "note: \(place): is no index of this version; \(large) is indexed anew\n"))
  }

  /// A change of a sound file, and whether it is accepted: by training and scoring alike.
  @Test(
    "training and scoring give one verdict",
    arguments: [
      ("", "", true), ("\"area\":400", "\"area\":null", true),
      ("\"iscrowd\":0", "\"iscrowd\":2", false), ("\"iscrowd\":0", "\"iscrowd\":true", true),
      ("\"id\":5,", "", true), ("\"width\":100,", "\"width\":null,", true),
      ("\"width\":100,\"height\":100", "\"license\":1", true),
      ("\"name\":\"person\"", "\"name\":\"person\",\"frequency\":\"x\"", false),
      ("\"name\":\"person\"", "\"name\":\"person\",\"frequency\":null", true),
      ("\"category_id\":1", "\"category_id\":7", true),
      ("{\"images\"", "{\"images\":[],\"images\"", false),
      ("\"area\":400", "\"area\":400,\"segmentation\":null", true),
      ("\"iscrowd\":0", "\"ignore\":2", false),
      ("\"width\":100", "\"neg_category_ids\":[99],\"width\":100", true),
      ("\"categories\"", "\"kinds\"", false), ("\"image_id\":1", "\"image_id\":3", false),
      ("\"image_id\":1", "\"image_id\":\"1\"", true), ("\"id\":5", "\"id\":\"five\"", false),
      (
        "[{\"id\":1,\"name\":\"person\"}]",
        "[{\"id\":1,\"name\":\"person\"},{\"id\":0,\"name\":\"person\"}]", false
      ),
    ])
  func verdicts(old: String, new: String, isAccepted: Bool) throws {
    let scratch = try Scratch()
    let sound = """
      {"images":[{"id":1,"file_name":"a.jpg","width":100,"height":100}],"annotations":[{"id":5,\
      "image_id":1,"category_id":1,"bbox":[10,10,20,20],"area":400,"iscrowd":0}],\
      "categories":[{"id":1,"name":"person"}]}
      """
    let path = scratch.folder + "/a.json"
    try Data((old.isEmpty ? sound : sound.replacing(old, with: new)).utf8).write(
      to: URL(filePath: path))
    let found = scratch.folder + "/found.json"
    try Data(#"[{"image_id":1,"category_id":1,"bbox":[10,10,20,20],"score":0.9}]"#.utf8).write(
      to: URL(filePath: found))
    let split = scratch.folder + "/split.json"
    try Data(#"{"base":["person"],"novel":[]}"#.utf8).write(to: URL(filePath: split))
    let results = [
      try BaronProcess.run("bench-annotations", "read", path),
      try BaronProcess.run(
        "evaluate", "--annotations", path, "--detections", found, "--split", "coco"),
      try BaronProcess.run("split", "coco", path, "--split", split, "-o", scratch.folder + "/out"),
    ]
    #expect(results.map(\.status) == (isAccepted ? [0, 0, 0] : [1, 1, 1]))
    #expect(Set(results.map(\.errors)).count == 1, "\(results.map(\.errors))")
    #expect(isAccepted || results[0].errors.hasPrefix("error: \(path): "))
  }

  @Test("bad files give one line")
  func badFiles() throws {
    let scratch = try Scratch()
    let source = "\(Self.data)/coco-mini/annotations/instances_val.json"
    let text = try Data(contentsOf: URL(filePath: source))
    let cut = scratch.folder + "/cut.json"
    try text.prefix(text.count / 2).write(to: URL(filePath: cut))
    expectError(
      try BaronProcess.run("split", "coco", cut, "-o", scratch.folder), "cut.json", "annotations[")
    let classes = scratch.folder + "/classes.json"
    try Data(#"{"base": ["catt"], "novel": []}"#.utf8).write(to: URL(filePath: classes))
    expectError(
      try BaronProcess.run("split", "coco", source, "--split", classes, "-o", scratch.folder),
      "\"cat\"")
    expectError(
      try BaronProcess.run("split", "coco", source, "-o", cut + "/x"), "cut.json/x")
    #expect(try BaronProcess.run("split", "coco", source).status == 64)
  }
}
