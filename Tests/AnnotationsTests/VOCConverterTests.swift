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
    (xml("", size: ""), #""size": is missing"#),
    (xml("", size: sizeOf(0, 5)), #"size: "width": is 0.0"#),
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
    ("<annotation/>", #""filename": is missing"#),
  ])
  func malformedFilesGiveOneLine(text: String, part: String) throws {
    let error = #expect(throws: DatasetError.self) { try convert(text) }
    let line = try #require(error).description
    #expect(line.contains("a.xml: ") && line.contains(part) && !line.contains("\n"), "\(line)")
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
