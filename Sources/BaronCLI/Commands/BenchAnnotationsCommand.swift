import Annotations
import ArgumentParser
import Formats
import Foundation

/// `baron bench-annotations`: makes a large annotation file from a small one and times its index.
struct BenchAnnotationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-annotations",
    abstract: "Make a large annotation file from a small one; time the reading of one.",
    shouldDisplay: false, subcommands: [Repeat.self, Read.self])

  /// `baron bench-annotations repeat`.
  struct Repeat: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Repeat the images and annotations of a file with new ids.")

    @Argument(help: "A COCO or LVIS annotation file.", completion: .file())
    var source: String

    @Option(name: .shortAndLong, help: "The file to write.", completion: .file())
    var output: String

    @Option(help: "The size to reach, in MB of a million bytes.")
    var megabytes: Int

    func run() throws {
      let copies = try RepeatedAnnotations(path: source).write(
        to: output, bytes: megabytes * 1_000_000)
      try Console.print("\(output): \(copies, "copy") of \(source)")
    }
  }

  /// `baron bench-annotations read`.
  struct Read: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read a file as training does; print the time and the peak of memory.")

    @Argument(help: "A COCO or LVIS annotation file.", completion: .file())
    var file: String

    func run() throws {
      let start = MonotonicClock.seconds
      let data = try COCOAnnotations(path: file)
      let seconds = MonotonicClock.seconds - start
      for line in data.index.warnings + data.report.warnings {
        Console.warn("\(file): \(line)")
      }
      try Console.print(data.report.summary)
      try Console.print(
        String(format: "%.2f s, peak memory %d MiB", seconds, PeakMemory.bytes() >> 20))
    }
  }
}

/// The most memory that this process has held.
enum PeakMemory {
  /// The peak of the resident set in bytes, mapped file pages included.
  static func bytes() -> Int {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
  }
}
