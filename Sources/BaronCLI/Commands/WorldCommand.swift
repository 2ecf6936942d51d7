import ArgumentParser
import DemoWorld
import Formats
import Foundation
import Reporting

/// `baron world`: a drawn data set of any size.
struct WorldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "world",
    abstract: "Draw a small world as a COCO data set with captions.",
    discussion: """
      Writes images/ and annotations/: boxes of all, of base and of novel classes, captions of whole \
      pictures, captions of parts of pictures, and the split of the classes. The same arguments give \
      the same files; sets for training and validation need different seeds. In the kind shapes every \
      class has a shape of its own; in scenery most shapes have two names, and only the ground of the \
      picture says which.
      """)

  @Argument(help: "The folder, new or empty.", completion: .directory)
  var folder: String

  @Option(help: "What is drawn: shapes or scenery.")
  var kind = WorldKind.shapes

  @Option(help: "The number of pictures.")
  var images: Int

  @Option(help: "The seed; other pictures need another.")
  var seed: UInt64

  @Option(help: "The width and height of each picture in pixels, 32 to 1024.")
  var pixels = 96

  @Option(help: "The number of captioned parts of each picture.")
  var regions = 16

  func validate() throws {
    guard (32...1024).contains(pixels) else {
      throw ValidationError("--pixels \(pixels): take 32 to 1024.")
    }
    try OptionRange.check(
      ("--images", images, 1...10_000_000), ("--regions", regions, 0...10_000))
  }

  func run() throws {
    let files = FileManager.default
    // A file, or a folder that cannot be listed, is in the way too.
    if files.fileExists(atPath: folder) {
      guard let content = try? files.contentsOfDirectory(atPath: folder), content.isEmpty else {
        throw DrawnWorldError.occupied(folder)
      }
    }
    let line = ProgressLine(label: "world", total: images)
    let summary = try DemoWorld.write(
      kind, to: folder, images: images, seed: seed, pixels: pixels, regionsPerImage: regions
    ) { line.update(step: $0) }
    line.finish()
    try Console.print(text(summary))
  }

  private func text(_ summary: DemoWorld.Summary) -> String {
    let boxes = summary.baseBoxes + summary.novelBoxes
    let annotations = "\(folder)/annotations"
    var lines = [
      "\(folder)/images: \(summary.images, "PNG file") of \(pixels)x\(pixels) pixels",
      "\(annotations)/instances.json: \(boxes, "box") of \(kind.classes.count) classes",
      "\(annotations)/instances_base.json: \(summary.baseBoxes, "box") of "
        + "\(kind.base.count, "base class")",
      "\(annotations)/instances_novel.json: \(summary.novelBoxes, "box") of "
        + "\(kind.novel.count, "novel class")",
      "\(annotations)/captions.json: \(summary.captions, "caption") of whole pictures",
    ]
    if summary.regionCaptions > 0 {
      lines.append(
        "\(annotations)/region_captions.json: \(summary.regionCaptions, "caption") of parts of "
          + "pictures")
    }
    lines.append("\(annotations)/classes.json: base and novel names")
    return lines.joined(separator: "\n")
  }
}

extension WorldKind: ExpressibleByArgument {}

/// Why no world can be written; the description is one line with the remedy.
enum DrawnWorldError: Error, CustomStringConvertible {
  case occupied(String)

  var description: String {
    switch self {
    case .occupied(let path):
      "\(path): is there already and is not an empty folder; name another folder"
    }
  }
}
