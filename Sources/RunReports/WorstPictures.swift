import Evaluation
import Formats
import Geometry
import Pictures
import Reporting
import Training

/// The pictures on which a detector is most wrong, with what is right and wrong about them.
struct WorstPictures {
  /// Pixels of the longer side of a picture in the report.
  private static let side = 640
  /// Pictures this small are drawn ones; their pixels stay.
  private static let drawnSide = 200
  private static let mostMarks = 12

  /// A picture, reduced, with its boxes in pixels of the original.
  struct Picture {
    let image: Image
    let width, height: Int
    let name: String
    let marks: [PictureMark]
    /// Marks that are left out.
    let hidden: Int

    /// The picture with its boxes as pixels.
    var drawn: Image {
      let factor = PictureSheet.enlargement(of: image)
      var canvas = Canvas(PictureSheet.enlarged(image, by: factor))
      let scale = Float(factor * image.width) / Float(max(1, width))
      let marks = marks.map { mark in
        (
          mark,
          LabeledBox(
            box: Box(mark.box).scaled(x: scale, y: scale), label: WorstPictures.tag(mark))
        )
      }
      // Missed ones first, lest they cover what was found.
      for color in [Color(255, 255, 255), Color(255, 154, 60), Color(92, 192, 255)] {
        canvas.draw(marks.filter { Self.color(of: $0.0) == color }.map(\.1)) { _ in color }
      }
      return canvas.image
    }

    private static func color(of mark: PictureMark) -> Color {
      switch mark.error {
      case nil: Color(92, 192, 255)
      case .missed: Color(255, 255, 255)
      default: Color(255, 154, 60)
      }
    }
  }

  let pictures: [Picture]

  /// Chooses and reads.
  ///
  /// - Parameters:
  ///   - analysis: What is right and wrong.
  ///   - validation: The pictures.
  ///   - count: How many.
  ///   - warn: Gets a line when some of them cannot be read.
  init(
    _ analysis: DetectionAnalysis, _ validation: ValidationRun, count: Int,
    warn: (String) -> Void
  ) {
    let ranked = analysis.pictures.filter { $0.badness > 0 }.sorted { left, right in
      left.badness != right.badness ? left.badness > right.badness : left.image < right.image
    }
    var pictures: [Picture] = []
    var unreadable = 0
    for findings in ranked where pictures.count < count && unreadable < count {
      do {
        let (name, image) = try validation.picture(at: findings.image)
        // Errors first: what is right may be left out.
        let marks =
          findings.marks.filter { $0.error != nil } + findings.marks.filter { $0.error == nil }
        pictures.append(
          Picture(
            image: image.reduced(toSide: Self.side), width: image.width, height: image.height,
            name: name, marks: Array(marks.prefix(Self.mostMarks)),
            hidden: max(0, marks.count - Self.mostMarks)))
      } catch {
        unreadable += 1
        if unreadable == 1 { warn("a picture of the report cannot be read: \(error)") }
      }
    }
    self.pictures = pictures
  }

  /// The pictures as the report shows them.
  var photos: [(svg: String, caption: String)] {
    pictures.compactMap { picture in
      let isDrawn = max(picture.width, picture.height) <= Self.drawnSide
      guard let data = try? isDrawn ? picture.image.pngData() : picture.image.jpegData() else {
        return nil
      }
      let caption = Self.caption(picture)
      return (
        svg: SVGPhoto(
          image: data, isPNG: isDrawn, width: picture.width, height: picture.height,
          description: "\(picture.name): \(caption)",
          items: picture.marks.map { mark in
            .init(
              mark.error == nil ? .right : mark.error == .missed ? .missed : .wrong,
              box: Box(mark.box), tag: Self.tag(mark))
          }
        ).svg(), caption: "\(picture.name): \(caption)"
      )
    }
  }

  static func tag(_ mark: PictureMark) -> String {
    let score = mark.score.map { " \(ScoreText.of($0))" } ?? ""
    switch mark.error {
    case nil: return mark.name + score
    case .missed: return mark.name
    case .wrongClass: return "\(mark.name)\(score) is \(mark.truth ?? "another")"
    case .misplaced: return "\(mark.name)\(score) misplaced"
    case .duplicate: return "\(mark.name)\(score) twice"
    case .both, .background: return "\(mark.name)\(score) is none"
    }
  }

  private static func caption(_ picture: Picture) -> String {
    var counts: [(name: String, count: Int)] = [("right", 0)]
    counts += DetectionErrorKind.allCases.map { ($0.rawValue, 0) }
    for mark in picture.marks {
      let name = mark.error?.rawValue ?? "right"
      if let place = counts.firstIndex(where: { $0.name == name }) { counts[place].count += 1 }
    }
    let parts = counts.filter { $0.count > 0 }.map { "\($0.count) \($0.name)" }
    return parts.joined(separator: ", ")
      + (picture.hidden > 0 ? "; \(picture.hidden) more not drawn" : "")
  }
}
