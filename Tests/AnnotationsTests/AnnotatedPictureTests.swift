import Foundation
import Pictures
import TestSupport
import Testing

@testable import Annotations

@Suite struct AnnotatedPictureTests {
  private func record(_ name: String, _ width: Int, _ height: Int) -> COCOAnnotations.ImageRecord {
    COCOAnnotations.ImageRecord(id: 7, fileName: name, width: width, height: height)
  }

  private func message(
    _ record: COCOAnnotations.ImageRecord, in folder: String
  ) throws -> (line: String, cause: PictureError.Cause) {
    let error = try #require(
      #expect(throws: PictureError.self) { try record.picture(in: folder) })
    return (error.description.replacing(folder, with: "F"), error.cause)
  }

  @Test func namesLeadToPictures() throws {
    let folder = try TemporaryFolder()
    let below = "\(folder.path)/day 1"
    try FileManager.default.createDirectory(atPath: below, withIntermediateDirectories: true)
    try Image(width: 6, height: 4).writePNG("\(below)/a.png")
    try Image(width: 6, height: 4).writePNG("\(folder.path)/b\\c.png")
    for name in ["day 1/a.png", "day 1\\a.png", "\(below)/a.png", "./day 1/a.png", "b\\c.png"] {
      let image = try record(name, 6, 4).picture(in: folder.path)
      #expect(image.width == 6 && image.height == 4, "\(name)")
    }
    // Without a size there is nothing to compare with.
    #expect(try record("day 1/a.png", 0, 0).picture(in: folder.path).width == 6)
  }

  @Test func faultsSayWhatIsWrong() throws {
    let folder = try TemporaryFolder()
    let images = "\(folder.path)/images"
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    try Image(width: 6, height: 4).writePNG("\(images)/a.png")
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/other", withIntermediateDirectories: true)
    try Image(width: 6, height: 4).writePNG("\(folder.path)/other/d.png")
    let swapped = try message(record("a.png", 4, 6), in: images)
    #expect(
      swapped.line
        == "F/a.png: is 6x4 pixels, but its record (id 7) says 4x6, so its boxes cannot be "
        + "trusted; swap \"width\" and \"height\"")
    #expect(swapped.cause == .otherSize)
    #expect(try message(record("a.png", 6, 5), in: images).line.hasSuffix("cannot be trusted"))
    let twice = try message(record("images/a.png", 6, 4), in: images)
    #expect(
      twice.line
        == "F/images/a.png: no such file; the name repeats the folder, F/a.png is there")
    #expect(twice.cause == .missing)
    #expect(
      try message(record("train/a.png", 6, 4), in: images).line
        == "F/train/a.png: no such file; the name has a folder of its own, F/a.png is there")
    #expect(
      try message(record("other/d.png", 6, 4), in: images).line.hasSuffix(
        "; the name starts in the folder above, \(folder.path)/other/d.png is there"))
    #expect(
      try message(record("b.png", 6, 4), in: images) == ("F/b.png: no such file", .missing))
    for (name, hint) in [
      ("a.jpg", "the name has another ending, F/a.png is there"),
      ("a", "the name has another ending, F/a.png is there"),
      ("A.PNG", "capitals differ, F/a.png is there"),
    ] {
      #expect(
        try message(record(name, 6, 4), in: images).line == "F/\(name): no such file; \(hint)")
    }
    #expect(
      try message(record("", 6, 4), in: images)
        == ("F: image 7 has no \"file_name\" and no \"coco_url\" to take it from", .nameless))
    _ = try folder.file("images/c.png", "no picture")
    #expect(try message(record("c.png", 6, 4), in: images).cause == .unreadable)
  }

  /// A JPEG with an EXIF block that turns it.
  @Test func turnedPicturesAreExplained() throws {
    let folder = try TemporaryFolder()
    try Image(width: 6, height: 4).writeJPEG("\(folder.path)/plain.jpg")
    let plain = try Data(contentsOf: URL(filePath: "\(folder.path)/plain.jpg"))
    let tiff: [UInt8] = [
      0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
    ]
    let block = Array("Exif".utf8) + [0, 0] + tiff
    let turned =
      plain.prefix(2) + [0xFF, 0xE1, 0, UInt8(block.count + 2)] + block + plain.dropFirst(2)
    try turned.write(to: URL(filePath: "\(folder.path)/a.jpg"))
    #expect(try record("a.jpg", 4, 6).picture(in: folder.path).width == 4)
    let line = try message(record("a.jpg", 6, 4), in: folder.path).line
    #expect(line.contains("is 4x6 pixels") && line.contains("says 6x4"), "\(line)")
    #expect(line.contains("turned by its EXIF orientation 6"), "\(line)")
  }

  @Test func sizesThatAreMissingComeFromThePictures() throws {
    let folder = try TemporaryFolder()
    try Image(width: 6, height: 4).writePNG("\(folder.path)/a.png")
    try Image(width: 5, height: 3).writeJPEG("\(folder.path)/b.jpg")
    var index = try AnnotationIndex(
      reading: try folder.file(
        "x.json",
        """
        {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.jpg", "width": 5},
         {"id": 3, "file_name": "c.jpg"}, {"id": 4, "file_name": "d.jpg", "width": 9, "height": 8}],
         "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 0, 2, 2], "area": 4}],
         "categories": [{"id": 1, "name": "cat"}]}
        """))
    let lines = index.completeSizes(from: folder.path)
    #expect(index.images.widths == [6, 5, 0, 9] && index.images.heights == [4, 3, 0, 8])
    #expect(lines.count == 2 && lines[0].hasPrefix("2 images without"), "\(lines)")
    #expect(lines[1].contains("c.jpg: no such file"))
    let data = try COCOAnnotations(index)
    #expect(data.imageIndices(annotatedWith: nil, minimumSide: 0) == [0, 1, 3])
    #expect(data.report.warnings.first?.contains("outside the image") == true)
    var whole = index
    #expect(whole.completeSizes(from: folder.path).count == 1)
  }
}
