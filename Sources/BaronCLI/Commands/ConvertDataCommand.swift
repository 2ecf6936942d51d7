import Annotations
import ArgumentParser
import Formats

/// `baron convert-data`: annotations of other layouts as COCO files.
struct ConvertDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert-data", abstract: "Turn annotations of other layouts into a COCO file.",
    subcommands: [VOC.self, YOLO.self])

  /// `baron convert-data voc`.
  struct VOC: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Convert PASCAL VOC annotations.",
      discussion: """
        The folder holds Annotations/*.xml and JPEGImages, or several folders that do (VOC2007, \
        VOC2012). File names in the result are relative to it. A difficult object becomes a crowd \
        that is to be ignored: set aside in training, neither asked for nor a false alarm in scoring.

        Example: baron convert-data voc VOCdevkit --image-set test -o voc_test.json
        """)

    @Argument(help: "The folder.", completion: .directory)
    var folder: String

    @Option(
      name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file.json"),
      completion: .file())
    var output: String

    @Option(
      help: ArgumentHelp(
        "Convert only the images of this list in ImageSets/Main, test for example.",
        valueName: "name"))
    var imageSet: String?

    @Flag(
      help: "Coordinates are continuous from 0, not pixels counted from 1 as in VOC's own files.")
    var zeroBased = false

    func run() throws {
      let summary = try VOCConverter(
        folder: folder, imageSet: imageSet, isZeroBased: zeroBased
      ).write(to: output)
      for line in summary.warnings { Console.warn(line) }
      try Console.print(
        "\(output): \(summary.images, "image"), \(summary.boxes, "box") (\(summary.difficult) "
          + "difficult) of \(summary.classes.count, "class")")
    }
  }

  /// `baron convert-data yolo`.
  struct YOLO: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Convert a YOLO data set.",
      discussion: """
        The input is a data.yaml, or a folder that holds one or images and labels. A picture without \
        a label file counts as one without objects; lines with a polygon give box and mask. File \
        names in the result are relative to the folder that is printed.

        Example: baron convert-data yolo parts/data.yaml --part val -o parts_val.json
        """)

    @Argument(help: "data.yaml or a folder.")
    var input: String

    @Option(help: "Which pictures: train, val or test.")
    var part = YOLODataset.Part.train

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file.json"))
    var output: String

    func run() throws {
      let summary = try YOLOConverter(YOLODataset(path: input)).write(part, to: output)
      for line in summary.warnings { Console.warn(line) }
      try Console.print(
        "\(output): \(summary.images, "image"), \(summary.boxes, "box") of "
          + "\(summary.classes.count, "class"); pictures are relative to \(summary.folder)")
    }
  }
}

extension YOLODataset.Part: ExpressibleByArgument {}
