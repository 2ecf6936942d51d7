import Formats
import Foundation
import Pictures

/// A small invented world as an ordinary COCO data set.
package enum DemoWorld {
  /// What a written world holds.
  package struct Summary: Sendable, Equatable {
    /// The number of pictures.
    package let images: Int
    /// The number of boxes of base classes.
    package let baseBoxes: Int
    /// The number of boxes of novel classes.
    package let novelBoxes: Int
    /// The number of captions of whole pictures.
    package let captions: Int
    /// The number of captions of parts of pictures.
    package let regionCaptions: Int
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
  ///   - kind: The kind of the world.
  ///   - folder: The folder, made when missing.
  ///   - images: The number of scenes.
  ///   - seed: The seed of the world; other scenes need another seed.
  ///   - pixels: The width and height of each picture.
  ///   - width: Its width where that is larger: the scene is repeated to the right, without boxes.
  ///   - regionsPerImage: The number of captioned parts of each picture.
  ///   - progress: Gets the number of pictures that are painted.
  /// - Returns: What was written.
  /// - Throws: ``DatasetError`` or ``FormatError`` when the folder or a file cannot be written.
  @discardableResult
  package static func write(
    _ kind: WorldKind = .shapes, to folder: String, images: Int, seed: UInt64, pixels: Int = 96,
    width: Int? = nil, regionsPerImage: Int = 16, progress: (Int) -> Void = { _ in }
  ) throws -> Summary {
    let size = Size(height: pixels, width: max(pixels, width ?? pixels))
    for part in ["images", "annotations"] {
      do {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
      } catch {
        throw FormatError("\(folder)/\(part)", "the folder cannot be made; choose a writable place")
      }
    }
    let scenes = (0..<images).map { Scene(kind: kind, seed: seed, index: $0) }
    for start in stride(from: 0, to: images, by: paintedAtATime) {
      let end = min(start + paintedAtATime, images)
      try paint(scenes[start..<end], size, into: "\(folder)/images")
      progress(end)
    }
    let tables: [(String, [WorldClass])] = [
      ("instances", kind.classes), ("instances_base", kind.base), ("instances_novel", kind.novel),
    ]
    for (name, kept) in tables {
      try write(try instances(of: scenes, kind, keeping: kept, size), name, folder)
    }
    try write(captions(of: scenes, size), "captions", folder)
    if regionsPerImage > 0 {
      let captions = regionCaptions(of: scenes, perImage: regionsPerImage, size)
      try write(captions, "region_captions", folder)
    }
    try write(classes(of: kind), "classes", folder)
    let things = scenes.flatMap(\.objects).map(\.thing)
    let novel = things.count(where: \.isNovel)
    return Summary(
      images: images, baseBoxes: things.count - novel, novelBoxes: novel, captions: images,
      regionCaptions: images * regionsPerImage)
  }

  /// A picture's size in pixels; scenes are as wide as high.
  private struct Size {
    let height, width: Int
  }

  /// Enough to keep all cores busy, few enough to show progress.
  private static let paintedAtATime = 200

  /// Writes the pictures on all cores; after an error the rest is left out.
  private static func paint(_ scenes: ArraySlice<Scene>, _ size: Size, into folder: String) throws {
    _ = try Parallel.map(count: scenes.count) { position in
      let scene = scenes[scenes.startIndex + position]
      try scene.render(pixels: size.height).repeated(toWidth: size.width)
        .writePNG("\(folder)/\(fileName(of: scene.index))")
    }
  }

  private static func write(_ value: JSONValue, _ name: String, _ folder: String) throws {
    try AtomicFile.write(Data((value.text() + "\n").utf8), to: "\(folder)/annotations/\(name).json")
  }

  private static func fileName(of index: Int) -> String {
    index.digits(6) + ".png"
  }

  /// The categories of some classes; ids count from 1 in the order of all.
  private static func categories(_ kind: WorldKind, keeping kept: [WorldClass]) -> JSONValue {
    .array(
      kind.classes.enumerated().filter { kept.contains($1) }.map {
        ["id": .number(Double($0 + 1)), "name": .string($1.name)]
      })
  }

  private static func records(of scenes: [Scene], _ size: Size) -> JSONValue {
    .array(
      scenes.map { scene in
        [
          "id": .number(Double(scene.index + 1)), "file_name": .string(fileName(of: scene.index)),
          "width": .number(Double(size.width)), "height": .number(Double(size.height)),
        ]
      })
  }

  private static func instances(
    of scenes: [Scene], _ kind: WorldKind, keeping kept: [WorldClass], _ size: Size
  ) throws -> JSONValue {
    let classes = kind.classes
    var annotations: [JSONValue] = []
    var number = 0.0
    for scene in scenes {
      for object in scene.objects {
        // Ids count all objects, so that a box has the same id in every file.
        number += 1
        guard kept.contains(object.thing), let place = classes.firstIndex(of: object.thing) else {
          continue
        }
        let box = object.bounds(pixels: size.height)
        annotations.append([
          "id": .number(number), "image_id": .number(Double(scene.index + 1)),
          "category_id": .number(Double(place + 1)),
          "bbox": .array(box.numbers.map { .number($0) }), "area": .number(box.width * box.height),
          "iscrowd": 0,
          "segmentation": [
            "size": .array([.number(Double(size.height)), .number(Double(size.width))]),
            "counts": .string(try object.mask(pixels: size.height, width: size.width).text),
          ],
        ])
      }
    }
    return [
      "images": records(of: scenes, size), "annotations": .array(annotations),
      "categories": categories(kind, keeping: classes),
    ]
  }

  private static func captions(of scenes: [Scene], _ size: Size) -> JSONValue {
    [
      "images": records(of: scenes, size),
      "annotations": .array(
        scenes.map { scene in
          let id = JSONValue.number(Double(scene.index + 1))
          let text = Scene.caption(of: scene.objects.map(\.thing.name))
          return ["id": id, "image_id": id, "caption": .string(text)]
        }),
    ]
  }

  /// The captions of parts of the pictures, each with the part as its `bbox`.
  private static func regionCaptions(
    of scenes: [Scene], perImage count: Int, _ size: Size
  ) -> JSONValue {
    var annotations: [JSONValue] = []
    for scene in scenes {
      for region in scene.regions(count, pixels: size.height) {
        annotations.append([
          "id": .number(Double(annotations.count + 1)),
          "image_id": .number(Double(scene.index + 1)), "caption": .string(region.caption),
          "bbox": .array(region.window.numbers.map { .number($0) }),
        ])
      }
    }
    return ["images": records(of: scenes, size), "annotations": .array(annotations)]
  }

  private static func classes(of kind: WorldKind) -> JSONValue {
    [
      "base": categories(kind, keeping: kind.base), "novel": categories(kind, keeping: kind.novel),
    ]
  }
}
