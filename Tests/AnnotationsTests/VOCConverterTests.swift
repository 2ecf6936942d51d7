import Foundation
import Geometry
import Pictures
import TestSupport
import Testing

@testable import Annotations

@Suite struct VOCConverterTests {
  private static func xml(_ body: String, size: String = sizeOf(10, 8)) -> String {
    "<annotation><filename>a.jpg</filename>\(size)\(body)</annotation>"
  }

  private static func sizeOf(_ width: Int, _ height: Int) -> String {
    "<size><width>\(width)</width><height>\(height)</height><depth>3</depth></size>"
  }

  private static func object(
    _ name: String, _ corners: [String], difficult: String = "<difficult>0</difficult>"
  ) -> String {
    let sides = zip(["xmin", "ymin", "xmax", "ymax"], corners).map { "<\($0)>\($1)</\($0)>" }
    return "<object><name>\(name)</name>\(difficult)<bndbox>\(sides.joined())</bndbox></object>"
  }

  private func convert(
    _ xml: String, isZeroBased: Bool = false
  ) throws -> (VOCConverter.Summary, AnnotationIndex) {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/Annotations", withIntermediateDirectories: true)
    _ = try folder.file("Annotations/a.xml", xml)
    let target = folder.path + "/out.json"
    let summary = try VOCConverter(folder: folder.path, isZeroBased: isZeroBased).write(to: target)
    return (summary, try AnnotationIndex(path: target))
  }

  @Test func pixelsCountedFromOneBecomeEdges() throws {
    let text = Self.xml(
      Self.object("dog", ["1", "2", "10", "8"])
        + Self.object("cat", ["3", "3", "3", "3"], difficult: "<difficult>1</difficult>"))
    let (summary, index) = try convert(text)
    #expect(summary.boxes == 2 && summary.difficult == 1 && summary.classes.count == 20)
    let dog = index.annotation(at: 0)
    #expect(dog.box.numbers == [0, 1, 10, 7] && dog.area == 70)
    #expect(!dog.isSetAside && dog.label == 11)
    let cat = index.annotation(at: 1)
    #expect(cat.box.numbers == [2, 2, 1, 1] && cat.isSetAside)
    #expect(index.image(at: 0).fileName == "JPEGImages/a.jpg")
  }

  @Test func continuousCoordinatesStay() throws {
    let text = Self.xml(
      Self.object("zebra", ["0.5", "1", "12.25", "4"], difficult: "<difficult/>")
        + Self.object("ant", ["0", "0", "1", "1"], difficult: ""))
    let (summary, index) = try convert(text, isZeroBased: true)
    #expect(summary.classes == ["ant", "zebra"])
    #expect(index.annotation(at: 0).box.numbers == [0.5, 1, 9.5, 3])
  }

  @Test(arguments: [
    ("<annotation>\n<filename>a", "line 2: the text ends inside an element; copy"),
    (xml("", size: ""), "has no size, and no picture to read it from: left out"),
    (xml("", size: sizeOf(0, 5)), "has no size, and no picture to read it from: left out"),
    (xml("", size: sizeOf(-1, 5)), #"size: "width": is -1.0"#),
    (xml("", size: "<size><width>a</width></size>"), #"size: "width": is "a""#),
    (xml("<object><name>x</name></object>"), #"object 1: "bndbox": is missing"#),
    (xml(object("", ["1", "1", "2", "2"])), #"object 1: "name": is missing"#),
    (xml(object("x", ["1", "1", "2", "two"])), #"object 1: "ymax": is "two""#),
    (xml(object("x", ["5", "1", "2", "2"])), #"object 1: "bndbox": is [5.0, 1.0, 2.0, 2.0]"#),
    (
      xml(object("x", ["1", "1", "2", "2"], difficult: "<difficult>no</difficult>")),
      #"object 1: "difficult": is "no""#
    ),
    ("<annotation></size></annotation>", "line 1: the end of an element \"size\""),
    ("", "line 1: the text ends"),
    ("<annotation/>", "has no size, and no picture to read it from"),
    ("<svg/>", #""annotation": is missing"#),
  ])
  func malformedFilesGiveOneLine(text: String, part: String) throws {
    let error = #expect(throws: DatasetError.self) { try convert(text) }
    let line = try #require(error).description
    #expect(line.contains("a.xml: ") && line.contains(part) && !line.contains("\n"), "\(line)")
  }

  /// A folder in VOC's layout with pictures of 10x8 pixels.
  private func converted(
    _ files: [(name: String, text: String)], pictures: [String]
  ) throws -> (names: [String], sizes: [[Int32]], warnings: [String]) {
    let folder = try TemporaryFolder()
    for name in ["Annotations", "JPEGImages"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
    for file in files { _ = try folder.file("Annotations/\(file.name)", file.text) }
    for name in pictures {
      try Image(width: 10, height: 8).writeJPEG("\(folder.path)/JPEGImages/\(name)")
    }
    let target = folder.path + "/out.json"
    let summary = try VOCConverter(folder: folder.path).write(to: target)
    let index = try AnnotationIndex(reading: target)
    return (
      (0..<index.imageCount).map {
        index.image(at: $0).fileName.replacing("JPEGImages/", with: "")
      },
      zip(index.images.widths, index.images.heights).map { [$0, $1] },
      summary.warnings.map { $0.replacing(folder.path, with: "F") }
    )
  }

  @Test(arguments: [
    // What the file says, the pictures there are, the one that is meant, whether it is told.
    ("a.jpg", ["a.jpg"], "a.jpg", false), ("a", ["a.jpg"], "a.jpg", false),
    ("a.jpg", ["a.png"], "a.png", false), ("a.jpg", ["A.JPG"], "A.JPG", false),
    ("old.jpg", ["a.jpg"], "a.jpg", true), ("old.jpg", ["a.jpg", "old.jpg"], "a.jpg", true),
    ("b.jpg", ["b.jpg"], "b.jpg", false), ("b", ["b.png"], "b.png", false),
    ("C:\\data\\a.jpg", ["a.jpg"], "a.jpg", false), ("/home/x/b.jpg", ["b.jpg"], "b.jpg", false),
    ("", ["a.jpg"], "a.jpg", false), ("a.jpg", ["a"], "a", false), ("", [], "a.jpg", true),
    ("c.jpg", [], "c.jpg", true),
  ])
  func picturesAreFound(written: String, pictures: [String], name: String, isTold: Bool) throws {
    let text = Self.xml("").replacing("<filename>a.jpg", with: "<filename>\(written)")
    let (names, _, warnings) = try converted([("a.xml", text)], pictures: pictures)
    #expect(names == [name])
    #expect(warnings.count == (isTold ? 1 : 0), "\(warnings)")
  }

  @Test func missingSizesAreReadFromThePictures() throws {
    // b.xml and c.xml name a picture that is there no more; only b.xml lacks the size.
    let files = ["a", "b", "c"].map { name in
      let text = Self.xml("", size: name == "c" ? Self.sizeOf(3, 4) : Self.sizeOf(0, 0))
      return (name: "\(name).xml", text: text.replacing("a.jpg", with: "\(name).jpg"))
    }
    let (names, sizes, warnings) = try converted(files, pictures: ["a.jpg"])
    #expect(names == ["a.jpg", "c.jpg"] && sizes == [[10, 8], [3, 4]])
    #expect(
      warnings == [
        "2 pictures are not in JPEGImages: the name was taken as it is written "
          + "(first: F/Annotations/b.xml)",
        "1 size is 0 or missing: read from the picture (first: F/Annotations/a.xml)",
        "1 annotation file has no size, and no picture to read it from: left out "
          + "(first: F/Annotations/b.xml: F/JPEGImages/b.jpg: no such file)",
      ])
  }

  @Test func encodingsAreKept() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/Annotations", withIntermediateDirectories: true)
    for (name, bytes) in [("a", [0xC8, 0xCB]), ("b", [0xB9, 0xB7])] as [(String, [UInt8])] {
      let parts = Self.xml(Self.object("@", ["1", "1", "2", "2"])).split(separator: "@")
      var data = Data("<?xml version=\"1.0\" encoding=\"GBK\"?>\n\(parts[0])".utf8)
      data += bytes
      data += Data(parts[1].utf8)
      try data.write(to: URL(filePath: "\(folder.path)/Annotations/\(name).xml"))
    }
    let summary = try VOCConverter(folder: folder.path).write(to: folder.path + "/out.json")
    #expect(summary.classes == ["人", "狗"] && summary.boxes == 2)
  }

  @Test func foldersWithoutAnnotationsAreTold() throws {
    let folder = try TemporaryFolder()
    let target = folder.path + "/out.json"
    for (converter, part) in [
      (VOCConverter(folder: folder.path), "Annotations/*.xml"),
      (VOCConverter(folder: folder.path + "/nowhere"), "no folder"),
    ] {
      let error = #expect(throws: DatasetError.self) { try converter.write(to: target) }
      #expect(try #require(error).description.contains(part))
    }
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test(.enabled(if: SharedData.has("voc-mini"), "needs the folder voc-mini"))
  func realFilesAreConverted() throws {
    let folder = try TemporaryFolder()
    let target = folder.path + "/voc.json"
    let summary = try VOCConverter(folder: "\(SharedData.root)/voc-mini").write(to: target)
    #expect(summary.images == 3 && summary.difficult == 0)
    let data = try COCOAnnotations(path: target)
    #expect(data.categories.map(\.name) == summary.classes)
    #expect(data.report.boxes == summary.boxes && data.report.warnings == [])
    let first = try #require(data.images.first)
    #expect(first.fileName == "VOC2007/JPEGImages/000001.jpg")
    #expect(
      first.objects.map(\.box) == [
        Box(x1: 47, y1: 239, x2: 195, y2: 371),
        Box(x1: 7, y1: 11, x2: 352, y2: 498),
      ])
    for image in data.images {
      let picture = try ImageDecoder.decode(path: "\(SharedData.root)/voc-mini/\(image.fileName)")
      #expect(picture.width == image.width && picture.height == image.height)
    }
  }
}
