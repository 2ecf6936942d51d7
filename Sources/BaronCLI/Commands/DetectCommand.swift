import Annotations
import ArgumentParser
import Formats
import Foundation
import Geometry
import Labels
import Tensors
import Training

extension LabelFormat: ExpressibleByArgument {}

/// `baron detect`: finds objects by name in photographs.
struct DetectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "detect", abstract: "Find objects by their names in images.",
    discussion: """
      Example: baron detect photos/ --checkpoint runs/first --vocabulary "cat, traffic cone"

      A vocabulary file has a name on each line, or is JSON: a list of names or of \
      {"name": …, "synonyms": […]}, an object of names with lists of synonyms, or COCO or LVIS \
      annotations. A class with synonyms is looked for by the mean of its names' embeddings. Names \
      that are all in the run's 'clip.class_embeddings' are taken from there.

      The classes that the run was trained on compete with the names, hidden: what looks most like \
      one of them is not shown as something else. With --only, everything must be one of the names \
      or background, which finds more wrong ones and starts faster.

      The output folder gets every image with its boxes (and masks, if the run has a mask head) \
      drawn, detections.json (COCO results) and \
      images.json (the ids of images and names). detections.json holds all detections of the names \
      above the run's own threshold, as evaluation needs them. Pictures and --json show one object \
      a place: of boxes that overlap by an IoU over \(Suppression.sameObject) the surest, if its score reaches the \
      threshold. Without --score-threshold that is the score of the best F1 in the run's last \
      evaluation, one for the classes of training and one for all others; before any evaluation \
      \(ShownScores.usual). Files that cannot be read are left out and listed at the end.

      - instead of images reads frames from standard input, MJPEG or yuv4mpeg as ffmpeg writes them, \
      and writes them with boxes to standard output, or with --json a line for each; no files:
      ffmpeg -i in.mp4 -f yuv4mpegpipe -pix_fmt yuv420p - | baron detect - --checkpoint RUN | ffmpeg -i - out.mp4
      """)

  @Argument(
    help: ArgumentHelp(
      "Files, folders with the folders in them, or patterns; - for frames.", valueName: "images"),
    completion: .file())
  var inputs: [String]

  @OptionGroup var model: ModelOption

  @Option(
    help: ArgumentHelp(
      "Names to look for, comma-separated, or a file of them; without any the run's classes.",
      valueName: "names|file"), completion: .file())
  var vocabulary: String?

  @Option(
    help: ArgumentHelp(
      "Where pictures and results go; default: runs/detect, then runs/detect-2 and so on.",
      valueName: "folder"), completion: .file())
  var output: String?

  @Flag(help: "Write into an output folder that holds files already.")
  var overwrite = false

  @Flag(help: "Let only the names compete, without the hidden classes of training.")
  var only = false

  @Option(
    help: ArgumentHelp(
      "Least score of the objects that are shown, from 0 to 1; by default the run's best.",
      valueName: "score"))
  var scoreThreshold: Double?

  @Flag(help: "Show objects of different names that lie on one another, too.")
  var keepOverlapping = false

  @Option(help: "Most objects of an image, best first.")
  var limit = 100

  @Flag(help: "Print one JSON object a line for each image instead of text.")
  var json = false

  @Flag(help: "Also write every shown object as a picture of its own, below crops/NAME/.")
  var crop = false

  @Flag(help: "Leave out the pictures with boxes.")
  var noPictures = false

  @Option(
    help: ArgumentHelp(
      "Also write what is shown for another program; may be given several times.",
      discussion: """
        coco: coco.json, a data set. yolo: labels/NAME.txt, classes.txt, data.yaml. voc: \
        Annotations/NAME.xml. labelstudio: labelstudio.json, tasks with predictions. polygons: \
        polygons.jsonl, outlines. json: objects.jsonl, what --json prints.
        """,
      valueName: LabelFormat.allCases.map(\.rawValue).joined(separator: "|")))
  var format: [LabelFormat] = []

  @Option(help: "Images that are read and looked at together.")
  var batch = 4

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard model.checkpoint != nil else {
      throw ValidationError("give --checkpoint: a run, one of its checkpoints or a weight file")
    }
    guard (1...256).contains(batch) else {
      throw ValidationError("--batch \(batch): take a number from 1 to 256.")
    }
    if let scoreThreshold, !(0...1).contains(scoreThreshold) {
      throw ValidationError("--score-threshold \(scoreThreshold): take a number from 0 to 1.")
    }
    guard !only || vocabulary != nil else {
      throw ValidationError("--only needs --vocabulary: without it all names are the run's own")
    }
    guard limit > 0 else { throw ValidationError("--limit \(limit): take at least 1.") }
    guard inputs.contains("-") else { return }
    guard inputs.count == 1 else {
      throw ValidationError("- takes frames from standard input: leave out the other images")
    }
    guard output == nil, !crop, format.isEmpty else {
      throw ValidationError("- writes no files: leave out --output, --crop and --format")
    }
  }

  func run() throws {
    let wanted = try vocabulary.map { try VocabularyNames($0, option: "--vocabulary") }
    guard let location = try model.location(warn: Console.warn) else { return }
    let own = try wanted == nil ? Self.ownNames(of: location) : []
    let isStream = inputs == ["-"]
    let files = isStream ? [] : try ImageFiles.expand(inputs)
    if !isStream { try ImageFiles.requireOne(of: files) }
    let trained = try location.trainedNames(
      isNeeded: wanted != nil && !only, remedy: "--set data.class_split=FILE, or --only")
    var query = ObjectQuery(
      wanted?.classes, own: own, trained: trained ?? [], onlyAsked: only,
      scores: location.shownScores(given: scoreThreshold))
    query.keepsOverlapping = keepOverlapping
    // A place that cannot be written to is told before anything is loaded.
    let folder =
      isStream ? nil : try OutputFolder.make(output, inputs: files, overwrite: overwrite)
    let detector = try load(query, location, explaining: wanted, into: folder)
    guard let folder else {
      return try FrameSession(
        detector: detector, query: query, limit: limit, printsJSON: json || noPictures
      ).run()
    }
    try DetectionSession(
      detector: detector, query: query, files: files, folder: folder, limit: limit,
      printsJSON: json, writesCrops: crop, writesPictures: !noPictures,
      formats: LabelFormat.allCases.filter(format.contains), batch: batch
    ).run()
  }

  /// Loads the detector; a folder for results that will never come is taken back.
  private func load(
    _ query: ObjectQuery, _ location: ModelLocation, explaining wanted: VocabularyNames?,
    into folder: OutputFolder?
  ) throws -> ObjectDetector {
    func load() throws -> ObjectDetector {
      try ObjectDetector(
        location, clipFolder: model.reading.clip, vocabulary: query.vocabulary,
        rivals: query.rivals,
        on: try device.makeStream(for: location.configuration.training.precision),
        warn: Console.warn)
    }
    func explained() throws -> ObjectDetector { try wanted?.explaining(load) ?? load() }
    return try folder?.keeping(explained) ?? explained()
  }

  /// The names of a run's own classes.
  ///
  /// - Parameters:
  ///   - location: The run.
  ///   - option: What the user is asked to give where they cannot be read.
  /// - Throws: `DetectError` when the run's annotations are gone.
  static func ownNames(
    of location: ModelLocation, option: String = "--vocabulary"
  ) throws -> [String] {
    do {
      return try location.classNames()
    } catch let error as DatasetError {
      throw DetectError.noVocabulary(reason: "\(error)", option: option)
    }
  }
}
