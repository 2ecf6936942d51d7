import Formats
import Geometry
import Masks

/// Areas of detections and their overlap with objects, by boxes or by masks (spec evaluation 5.4).
enum Overlaps: Sendable {
  case boxes([DetectionResult])
  case masks(MaskOverlaps)

  /// The area in square pixels of the detection at a position.
  func area(ofDetection index: Int) -> Double {
    switch self {
    case .boxes(let boxes): boxes[index].box.area
    case .masks(let masks): Double(masks.found.shapes[index].area)
    }
  }

  /// Appends the overlaps of one image's detections with its objects, `[detection][object]` flat.
  func append(
    to overlaps: inout [Double], _ candidates: ArraySlice<ClassBoxes.Candidate>,
    _ objects: ArraySlice<ClassBoxes.Object>
  ) throws {
    guard !objects.isEmpty else { return }
    switch self {
    case .boxes(let boxes):
      for candidate in candidates {
        let box = boxes[Int(candidate.index)].box
        for object in objects { overlaps.append(box.overlap(with: object)) }
      }
    case .masks(let masks):
      for candidate in candidates {
        try masks.append(to: &overlaps, Int(candidate.index), objects)
      }
    }
  }
}

extension FileBox {
  /// Intersection over union in double precision; over the box's own area for crowds.
  func overlap(with object: ClassBoxes.Object) -> Double {
    let shared = overlap(with: object.box)
    guard shared > 0 else { return 0 }
    return shared / (object.absorbsMany ? area : area + object.box.area - shared)
  }
}

/// Overlaps between the masks of detections and objects.
struct MaskOverlaps: Sendable {
  /// Pixel count and surrounding rectangle of a mask.
  struct Shape: Sendable {
    let area: Int
    let bounds: PixelBlock

    init(_ mask: RunLengthMask) {
      area = mask.area
      bounds = mask.bounds
    }
  }

  /// The masks of detections: shapes in memory, pixels read again where they may meet an object.
  struct Found: Sendable {
    let shapes: [Shape]
    private let results: DetectionResults
    private let truth: GroundTruth

    /// Reads and checks every mask.
    init(_ results: DetectionResults, _ truth: GroundTruth, threads: Int) throws {
      self.results = results
      self.truth = truth
      shapes = try Parallel.map(count: results.boxes.count, threads: threads, chunk: 512) { index in
        Shape(try Self.mask(results, truth, index))
      }
    }

    func mask(at index: Int) throws -> RunLengthMask { try Self.mask(results, truth, index) }

    private static func mask(
      _ results: DetectionResults, _ truth: GroundTruth, _ index: Int
    ) throws -> RunLengthMask {
      try results.masks.mask(
        at: index, in: truth.frame(ofImage: results.boxes[index].imageID), of: truth.source)
    }
  }

  let found: Found
  private let objectMasks: [RunLengthMask]
  private let objectShapes: [Shape]

  /// Reads the masks of all objects.
  init(_ found: Found, _ truth: GroundTruth, threads: Int) throws {
    self.found = found
    let masks = try Parallel.map(count: truth.index.annotationCount, threads: threads, chunk: 512) {
      index in
      try truth.masks.mask(at: index, in: truth.frame(ofAnnotation: index), of: truth.source)
    }
    objectMasks = masks
    objectShapes = masks.map(Shape.init)
  }

  /// Appends the overlaps of one detection.
  fileprivate func append(
    to overlaps: inout [Double], _ index: Int, _ objects: ArraySlice<ClassBoxes.Object>
  ) throws {
    let shape = found.shapes[index]
    var mask: RunLengthMask?
    for object in objects {
      let other = objectShapes[object.index]
      guard shape.bounds.overlap(with: other.bounds) > 0 else {
        overlaps.append(0)
        continue
      }
      let pixels = try mask ?? found.mask(at: index)
      mask = pixels
      let shared = try pixels.intersectionArea(with: objectMasks[object.index])
      let whole = object.absorbsMany ? shape.area : shape.area + other.area - shared
      overlaps.append(shared == 0 ? 0 : Double(shared) / Double(whole))
    }
  }
}
