import Evaluation
import Formats
import Foundation
import Geometry
import Masks

/// Made-up objects and detections of any number, the same for the same numbers.
///
/// Up to half of an image's detections lie on an object, moved a little, most of them with its class; the
/// others lie anywhere.
struct DrawnDetections {
  private static let width = 640
  private static let height = 480

  let images: Int
  let detections: Int
  let objects: Int
  let classes: Int
  let masks: Bool

  private struct Scene {
    var objects: [DetectionResult] = []
    var found: [DetectionResult] = []
  }

  private func scene(_ image: Int) -> Scene {
    var random = CounterRandom(seed: 1, CounterRandom.key("scene"), UInt64(image))
    var scene = Scene()
    for _ in 0..<1 + random.integer(below: 2 * objects - 1) {
      scene.objects.append(
        DetectionResult(
          imageID: image, categoryID: category(&random), box: box(&random), score: 1))
    }
    for index in 0..<detections {
      let object = scene.objects[index % scene.objects.count]
      var found = object
      if index < min(detections / 2, 3 * scene.objects.count) {
        let box = object.box
        found.box = FileBox(
          x: box.x1 + box.width * random.uniform(-0.2, 0.2),
          y: box.y1 + box.height * random.uniform(-0.2, 0.2), width: box.width, height: box.height)
        found.score = random.uniform(0.2, 1)
        if random.integer(below: 4) == 0 { found.categoryID = category(&random) }
      } else {
        found = DetectionResult(
          imageID: image, categoryID: category(&random), box: box(&random),
          score: random.uniform(0, 0.5))
      }
      scene.found.append(found)
    }
    return scene
  }

  /// Cubes of uniform numbers are mostly small: a few classes have most of the objects.
  private func category(_ random: inout CounterRandom) -> Int {
    let share = random.uniform()
    return 1 + Int(share * share * share * Double(classes))
  }

  private func box(_ random: inout CounterRandom) -> FileBox {
    let width = random.uniform(8, 200)
    let height = random.uniform(8, 200)
    return FileBox(
      x: random.uniform(0, Double(Self.width) - width),
      y: random.uniform(0, Double(Self.height) - height), width: width,
      height: height)
  }

  /// An octagon inside a box.
  private func polygon(_ box: FileBox) -> [Double] {
    let places = [(0.3, 0), (0.7, 0), (1, 0.3), (1, 0.7), (0.7, 1), (0.3, 1), (0, 0.7), (0, 0.3)]
    return places.flatMap { [box.x1 + $0.0 * box.width, box.y1 + $0.1 * box.height] }
  }

  func writeResults(to path: String) throws {
    try DetectionResultsWriter.write(to: path) { writer in
      for image in 1...images {
        for found in scene(image).found {
          let mask =
            masks
            ? try RunLengthMask(
              width: Self.width, height: Self.height, polygons: [polygon(found.box)]) : nil
          try writer.append(found, mask: mask)
        }
      }
    }
  }

  func writeTruth(to path: String) throws {
    try AtomicFile.write(to: path) { descriptor in
      var text = "{\"categories\":["
      func flush(over limit: Int) throws {
        guard text.utf8.count > limit else { return }
        try Data(text.utf8).withUnsafeBytes {
          try AtomicFile.append($0, to: descriptor, path: path)
        }
        text = ""
      }
      text += (1...classes).map { "{\"id\":\($0),\"name\":\"class \($0)\"}" }.joined(separator: ",")
      text += "],\"images\":["
      for image in 1...images {
        text += image > 1 ? "," : ""
        text += "{\"id\":\(image),\"width\":\(Self.width),\"height\":\(Self.height)}"
      }
      text += "],\"annotations\":["
      var id = 0
      for image in 1...images {
        for object in scene(image).objects {
          id += 1
          let box = object.box
          text += id > 1 ? "," : ""
          text +=
            "{\"id\":\(id),\"image_id\":\(image),\"category_id\":\(object.categoryID),\"bbox\":"
            + "[\(box.x1),\(box.y1),\(box.width),\(box.height)],\"area\":\(box.area * 0.82)"
          if masks { text += ",\"segmentation\":[\(polygon(box))]" }
          text += "}"
        }
        try flush(over: 1 << 16)
      }
      text += "]}\n"
      try flush(over: 0)
    }
  }
}
