import Annotations
import ArgumentParser
import Formats
import Foundation
import Serving
import Tensors
import Training

/// `baron serve`: a trained model behind HTTP, with a page for people.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Find objects over HTTP, in a browser or from programs.",
    discussion: """
      Example: baron serve runs/first --port 8000
               curl -F picture=@cat.jpg -F words="cat, traffic cone" localhost:8000/detect

      Open the address in a browser to drop pictures, or send them to /detect; docs/serve.md describes \
      the requests. Words, hidden classes of training, thresholds and overlaps count as in \
      'baron detect'. What was seen of a picture is kept, so that other words for it are answered \
      without the backbone. --demo serves the detector of 'baron demo' with drawn scenes to try.

      The server listens on this machine alone unless --host says otherwise, and knows no users and no \
      encryption: put it behind a program that does before others may reach it. INT or TERM ends it \
      after what is under way, with exit code 0.
      """)

  @Argument(
    help: ArgumentHelp(
      "A run, one of its checkpoints, a file of 'baron export', or with --config a weight file.",
      valueName: "run|file"), completion: Completions.models)
  var model: String?

  @Flag(help: "Serve the detector of 'baron demo' in runs/demo, or in the folder given.")
  var demo = false

  @OptionGroup var reading: ModelReadingOption

  @Option(
    help: ArgumentHelp(
      "Names to look for when a request has none, comma-separated, or a file of them; without any "
        + "the model's classes.", valueName: "names|file"), completion: .file())
  var vocabulary: String?

  @Option(
    help: """
      Least score when a request names none, from 0 to 1; without it those that the last evaluation \
      found best for base and for novel classes, else \(ShownScores.usual).
      """)
  var scoreThreshold: Double?

  @Option(
    help: ArgumentHelp(
      "The address to listen on; 0.0.0.0 for everyone who can reach this machine.",
      valueName: "address"))
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 for any that is free.")
  var port = 8000

  @OptionGroup var limits: LimitOptions

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard demo || model != nil else {
      throw ValidationError("name a run or a file, or give --demo")
    }
    if let scoreThreshold, !(0...1).contains(scoreThreshold) {
      throw ValidationError("--score-threshold \(scoreThreshold): take a number from 0 to 1.")
    }
    guard (0...65535).contains(port) else {
      throw ValidationError("--port \(port): take a number from 0 to 65535.")
    }
  }

  func run() throws {
    let served = try demo ? ServedDemo(folder: model ?? "runs/demo") : nil
    let location = try reading.location(of: served?.run ?? model ?? "", warn: Console.warn)
    let wanted = try vocabulary.map { try VocabularyNames($0, option: "--vocabulary") }
    var options = Server.Options(
      location: location, scores: location.shownScores(given: scoreThreshold),
      program: BaronProgram.version)
    options.clipFolder = reading.clip
    options.words = wanted?.classes
    options.trained = try location.trainedNames(
      isNeeded: true, remedy: "--set data.class_split=FILE")
    options.scenes = served?.scenes ?? []
    options.host = host
    options.port = port
    options.limits = limits.limits
    let (device, precision) = (device, location.configuration.training.precision)
    func load() throws -> Server {
      try Server(options, warn: { Console.warn($0) }) { try device.makeStream(for: precision) }
    }
    let server = try wanted?.explaining(load) ?? load()
    try Console.print("\(location.name) at \(server.address)")
    try serve(server)
    Console.say("all requests are answered")
  }

  /// Runs until a signal comes; the second one ends the program at once.
  private func serve(_ server: Server) throws {
    try StopSignals.answering(by: .wait) {
      let result = ServingResult()
      Task {
        await result.set { try await server.run() }
      }
      var hasStopped = false
      while !result.isDone {
        usleep(50_000)
        guard StopSignals.isAsked, !hasStopped else { continue }
        hasStopped = true
        Console.say("ending after the requests that are under way; once more ends at once")
        server.stop()
      }
      try result.get()
    }
  }
}
