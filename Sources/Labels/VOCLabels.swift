import Formats
import Foundation
import Reporting

/// XML files as Pascal VOC has them: `Annotations/NAME.xml`, corners counted from 1.
struct VOCLabels: LabelWriter {
  private let folder: String
  private let names: [String]
  private var stems = FileStems()

  init(folder: String, names: [String]) throws {
    self.folder = "\(folder)/Annotations"
    self.names = names
    try FileStems.make(self.folder)
  }

  mutating func append(_ picture: LabeledPicture) throws {
    let file = URL(filePath: picture.file)
    let text = """
      <annotation>
        <folder>\(Markup.escaped(file.deletingLastPathComponent().lastPathComponent))</folder>
        <filename>\(Markup.escaped(file.lastPathComponent))</filename>
        <path>\(Markup.escaped(picture.file))</path>
        <size><width>\(picture.width)</width><height>\(picture.height)</height><depth>3</depth></size>
        <segmented>0</segmented>
      \(picture.objects.map { object($0, of: picture) }.joined())</annotation>

      """
    try AtomicFile.write(
      Data(text.utf8), to: "\(folder)/\(stems.stem(of: picture.file)).xml")
  }

  mutating func finish() {}

  private func object(_ object: LabeledPicture.Object, of picture: LabeledPicture) -> String {
    let box = object.box
    // A box covers whole pixels, the first of which is number 1.
    func first(_ edge: Float, _ size: Int) -> Int { min(Int(edge.rounded()) + 1, size) }
    let (left, top) = (first(box.x1, picture.width), first(box.y1, picture.height))
    let (right, bottom) = (max(left, Int(box.x2.rounded())), max(top, Int(box.y2.rounded())))
    return """
        <object>
          <name>\(Markup.escaped(names[object.label]))</name>
          <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
          <confidence>\(object.score)</confidence>
          <bndbox><xmin>\(left)</xmin><ymin>\(top)</ymin><xmax>\(right)</xmax><ymax>\(bottom)</ymax></bndbox>
        </object>

      """
  }
}
