import Formats

/// What was kept and what was dropped while an annotation file was loaded.
package struct LoadReport: Sendable, Equatable {
  /// Why a box was dropped (spec training 4.5, annotation filter).
  package enum Drop: String, Sendable, CaseIterable {
    case emptyArea = "area not above 0"
    case outsideImage = "outside the image"
    case tooNarrow = "narrower than 1 pixel"
    case tooLow = "lower than 1 pixel"
  }

  /// The images of the file.
  package internal(set) var images = 0
  /// The images that kept no box, crowd boxes not counted.
  package internal(set) var imagesWithoutBoxes = 0
  /// The boxes kept.
  package internal(set) var boxes = 0
  /// The crowds and the objects to be ignored, set aside.
  package internal(set) var crowdBoxes = 0
  /// The boxes left out because their class was not asked for; not a fault of the file.
  package internal(set) var otherClasses = 0
  /// The boxes dropped, by reason.
  package internal(set) var drops: [Drop: RecordTally] = [:]

  /// Boxes that are kept and reach more than a pixel beyond their image, as corners taken for sizes do.
  package internal(set) var beyond = RecordTally()

  mutating func drop(_ reason: Drop, _ place: @autoclosure () -> String) {
    drops[reason, default: RecordTally()].count(place())
  }

  /// One line for each kind of fault, empty for a clean file.
  package var warnings: [String] {
    let dropped = Drop.allCases.compactMap { reason in
      drops[reason].map {
        "\($0.count, "box") dropped: \(reason.rawValue) (first: \($0.first))"
      }
    }
    let reaching = beyond.line(
      "box reaches", "boxes reach",
      "more than a pixel beyond the image: a box is [x, y, width, height], not two corners")
    return dropped + [reaching].compactMap { $0 }
  }

  /// One line of counts, to be read before the first step.
  package var summary: String {
    "\(images, "image") (\(imagesWithoutBoxes) without boxes), \(boxes, "box"), "
      + "\(crowdBoxes, "crowd region") set aside"
  }
}
