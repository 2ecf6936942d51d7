import Annotations
import Formats
import Foundation
import Pictures

/// A small invented world of shapes as an ordinary COCO data set.
public enum DemoWorld {
  /// The base and novel classes.
  ///
  /// - Returns: The split.
  /// - Throws: ``DatasetError`` never for this list; the split checks every list alike.
  public static func split() throws -> OpenVocabularySplit {
    try OpenVocabularySplit(
      base: Glyph.base.map(\.rawValue), novel: Glyph.novel.map(\.rawValue),
      source: "the demo world")
  }

  /// What a written world holds.
  public struct Summary: Sendable, Equatable {
    /// The number of pictures.
    public let images: Int
    /// The number of boxes of base classes.
    public let baseBoxes: Int
    /// The number of boxes of novel classes.
    public let novelBoxes: Int
    /// The number of captions of whole pictures.
    public let captions: Int
    /// The number of captions of parts of pictures.
    public let regionCaptions: Int
  }

  /// Writes scenes as files: `images/000000.png` …, and in `annotations` the files
  /// `instances.json` (all boxes), `instances_base.json`, `instances_novel.json` (all images and
  /// classes, the boxes of one part), `captions.json` (whole pictures), `region_captions.json`
  /// (captions with the `bbox` that each describes; only with regions) and, as the last,
  /// `classes.json` (base and novel names).
  ///
  /// The same arguments give the same bytes.
  ///
  /// - Parameters:
  ///   - folder: The folder, made when missing.
  ///   - images: The number of scenes.
  ///   - seed: The seed of the world; other scenes need another seed.
  ///   - pixels: The width and height of each picture.
  ///   - regionsPerImage: The number of captioned parts of each picture.
  ///   - progress: Gets the number of pictures that are painted.
  /// - Returns: What was written.
  /// - Throws: ``DatasetError`` or ``FormatError`` when the folder or a file cannot be written.
  @discardableResult
  public static func write(
    to folder: String, images: Int, seed: UInt64, pixels: Int = 96, regionsPerImage: Int = 16,
    progress: (Int) -> Void = { _ in }
  ) throws -> Summary {
    for part in ["images", "annotations"] {
      do {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
      } catch {
        throw FormatError("\(folder)/\(part)", "the folder cannot be made; choose a writable place")
      }
    }
    let scenes = (0..<images).map { Scene(seed: seed, index: $0) }
    for start in stride(from: 0, to: images, by: paintedAtATime) {
      let end = min(start + paintedAtATime, images)
      try paint(scenes[start..<end], pixels: pixels, into: "\(folder)/images")
      progress(end)
    }
    let tables: [(String, [Glyph])] = [
      ("instances", Glyph.allCases), ("instances_base", Glyph.base),
      ("instances_novel", Glyph.novel),
    ]
    for (name, glyphs) in tables {
      try write(try instances(of: scenes, keeping: glyphs, pixels: pixels), name, folder)
    }
    try write(captions(of: scenes, pixels: pixels), "captions", folder)
    if regionsPerImage > 0 {
      let captions = regionCaptions(of: scenes, perImage: regionsPerImage, pixels: pixels)
      try write(captions, "region_captions", folder)
    }
    try write(classes(), "classes", folder)
    let glyphs = scenes.flatMap(\.objects).map(\.glyph)
    let novel = glyphs.count { Glyph.novel.contains($0) }
    return Summary(
      images: images, baseBoxes: glyphs.count - novel, novelBoxes: novel, captions: images,
      regionCaptions: images * regionsPerImage)
  }

  /// Enough to keep all cores busy, few enough to show progress.
  private static let paintedAtATime = 200

  /// Writes the pictures on all cores; after an error the rest is left out.
  private static func paint(_ scenes: ArraySlice<Scene>, pixels: Int, into folder: String) throws {
    _ = try Parallel.map(count: scenes.count) { position in
      let scene = scenes[scenes.startIndex + position]
      try scene.render(pixels: pixels).writePNG("\(folder)/\(fileName(of: scene.index))")
    }
  }

  private static func write(_ value: JSONValue, _ name: String, _ folder: String) throws {
    try AtomicFile.write(Data((value.text() + "\n").utf8), to: "\(folder)/annotations/\(name).json")
  }

  private static func fileName(of index: Int) -> String {
    index.digits(6) + ".png"
  }

  /// Category ids count from 1 in the order of the glyphs.
  private static func id(of glyph: Glyph) -> Double {
    Double((Glyph.allCases.firstIndex(of: glyph) ?? 0) + 1)
  }

  private static func records(of scenes: [Scene], pixels: Int) -> JSONValue {
    .array(
      scenes.map { scene in
        [
          "id": .number(Double(scene.index + 1)), "file_name": .string(fileName(of: scene.index)),
          "width": .number(Double(pixels)), "height": .number(Double(pixels)),
        ]
      })
  }

  private static func instances(
    of scenes: [Scene], keeping glyphs: [Glyph], pixels: Int
  ) throws -> JSONValue {
    let kept = Set(glyphs)
    var annotations: [JSONValue] = []
    var number = 0.0
    for scene in scenes {
      for object in scene.objects {
        // Ids count all objects, so that a box has the same id in every file.
        number += 1
        guard kept.contains(object.glyph) else { continue }
        let box = object.bounds(pixels: pixels)
        annotations.append([
          "id": .number(number), "image_id": .number(Double(scene.index + 1)),
          "category_id": .number(id(of: object.glyph)),
          "bbox": .array(box.numbers.map { .number($0) }), "area": .number(box.width * box.height),
          "iscrowd": 0,
          "segmentation": [
            "size": .array([.number(Double(pixels)), .number(Double(pixels))]),
            "counts": .string(try object.mask(pixels: pixels).text),
          ],
        ])
      }
    }
    return [
      "images": records(of: scenes, pixels: pixels), "annotations": .array(annotations),
      "categories": .array(
        Glyph.allCases.map { ["id": .number(id(of: $0)), "name": .string($0.rawValue)] }),
    ]
  }

  private static func captions(of scenes: [Scene], pixels: Int) -> JSONValue {
    [
      "images": records(of: scenes, pixels: pixels),
      "annotations": .array(
        scenes.map { scene in
          let id = JSONValue.number(Double(scene.index + 1))
          let text = Scene.caption(of: scene.objects.map(\.glyph))
          return ["id": id, "image_id": id, "caption": .string(text)]
        }),
    ]
  }

  /// The captions of parts of the pictures, each with the part as its `bbox`.
  private static func regionCaptions(
    of scenes: [Scene], perImage count: Int, pixels: Int
  ) -> JSONValue {
    var annotations: [JSONValue] = []
    for scene in scenes {
      for region in scene.regions(count, pixels: pixels) {
        annotations.append([
          "id": .number(Double(annotations.count + 1)),
          "image_id": .number(Double(scene.index + 1)), "caption": .string(region.caption),
          "bbox": .array(region.window.numbers.map { .number($0) }),
        ])
      }
    }
    return ["images": records(of: scenes, pixels: pixels), "annotations": .array(annotations)]
  }

  private static func classes() -> JSONValue {
    func list(_ glyphs: [Glyph]) -> JSONValue {
      .array(glyphs.map { ["id": .number(id(of: $0)), "name": .string($0.rawValue)] })
    }
    return ["base": list(Glyph.base), "novel": list(Glyph.novel)]
  }
}
