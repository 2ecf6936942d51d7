/// What was kept and what was dropped while an annotation file was loaded.
public struct LoadReport: Sendable, Equatable {
  /// Why a box was dropped (spec 4.5, annotation filter).
  public enum Drop: String, Sendable, CaseIterable {
    case emptyArea = "area not above 0"
    case outsideImage = "outside the image"
    case tooNarrow = "narrower than 1 pixel"
    case tooLow = "lower than 1 pixel"
    case unknownCategory = "category id not in the file's categories"
  }

  /// How often something happened, and the annotation where it happened first.
  public struct Tally: Sendable, Equatable {
    /// The number of boxes.
    public internal(set) var count = 0
    /// The id of the first annotation concerned.
    public internal(set) var firstAnnotation = 0
  }

  /// The images of the file.
  public internal(set) var images = 0
  /// The images that kept no box, crowd boxes not counted.
  public internal(set) var imagesWithoutBoxes = 0
  /// The boxes kept.
  public internal(set) var boxes = 0
  /// The crowd boxes set aside.
  public internal(set) var crowdBoxes = 0
  /// The boxes left out because their class was not asked for; not a fault of the file.
  public internal(set) var otherClasses = 0
  /// The boxes whose missing area was computed from width and height.
  public internal(set) var computedAreas = Tally()
  /// The boxes dropped, by reason.
  public internal(set) var drops: [Drop: Tally] = [:]

  mutating func drop(_ reason: Drop, annotation: Int) {
    drops[reason, default: Tally(count: 0, firstAnnotation: annotation)].count += 1
  }

  mutating func computeArea(annotation: Int) {
    if computedAreas.count == 0 { computedAreas.firstAnnotation = annotation }
    computedAreas.count += 1
  }

  /// One line for each kind of fault, empty for a clean file.
  public var warnings: [String] {
    var lines = Drop.allCases.compactMap { reason in
      drops[reason].map {
        "\(Self.boxes($0.count)) dropped: \(reason.rawValue) (first: annotation "
          + "\($0.firstAnnotation))"
      }
    }
    if computedAreas.count > 0 {
      lines.append(
        "\(Self.boxes(computedAreas.count)) without \"area\": computed from width and height "
          + "(first: annotation \(computedAreas.firstAnnotation))")
    }
    return lines
  }

  /// One line of counts, to be read before the first step.
  public var summary: String {
    "\(images) images (\(imagesWithoutBoxes) without boxes), \(Self.boxes(boxes)), "
      + "\(crowdBoxes) crowd regions set aside"
  }

  private static func boxes(_ count: Int) -> String { count == 1 ? "1 box" : "\(count) boxes" }
}
