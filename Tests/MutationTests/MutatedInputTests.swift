import Formats
import Foundation
import TestSupport
import Testing

/// Every reader meets damaged files of its format: it gives a result or an error of one line, never ends the
/// program, and takes neither long nor much memory.
///
/// `BARON_MUTATIONS` sets how many files of each format are tried (10000 is thorough),
/// `BARON_MUTATION_SEED` others of them. A file that ends the program stays as `baron-mutation.FORMAT` in the
/// system's folder for temporary files.
@Suite("Damaged files of every format", .serialized)
struct MutatedInputTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let count = environment["BARON_MUTATIONS"].flatMap { Int($0) } ?? 100
  /// Whether somebody asked for these tests, and has not all others run beside them.
  private static let isAlone = environment["BARON_MUTATIONS"] != nil
  private static let seed = environment["BARON_MUTATION_SEED"].flatMap { UInt64($0) } ?? 1
  /// What one small file may take on a busy machine, in seconds.
  private static let patience = 20.0
  private static let mostMemory = 3 << 30

  @Test(arguments: InputFormat.all)
  func readersSurvive(format: InputFormat) throws {
    let scratch = try Scratch()
    let seeds = try format.seeds(scratch)
    try #require(!seeds.isEmpty, "there is no sound file of \(format)")
    // What is sound is read: a reader that refuses everything would pass otherwise.
    for seed in seeds { try format.read(try scratch.write(seed, format.file)) }
    let kept = FileManager.default.temporaryDirectory.path + "/baron-mutation.\(format.name)"
    var accepted = 0
    for number in 0..<Self.count {
      var mutation = Mutation(format.kind, seed: Self.seed, format.name, number)
      let bytes = format.mended(
        mutation.damaged(
          seeds[mutation.below(seeds.count)], seeds[mutation.below(seeds.count)]), mutation.below(4)
      )
      try Data(bytes).write(to: URL(filePath: kept))
      let began = MonotonicClock.seconds
      do {
        try format.read(try scratch.write(bytes, format.file))
        accepted += 1
      } catch {
        let text = "\(error)"
        #expect(
          !text.isEmpty && !PrintedText.line(text).contains("\n"), "\(format) \(number): \(text)")
        #expect(!(error is CocoaError), "\(format) \(number): \(text)")
      }
      let seconds = MonotonicClock.seconds - began
      #expect(seconds < Self.patience, "\(format) \(number): \(seconds) s")
    }
    #expect(format.mayRefuseAll || accepted > 0, "\(format): all \(Self.count) were refused")
    try FileManager.default.removeItem(atPath: kept)
    // Beside the other tests the process's memory says nothing of these.
    guard Self.isAlone else { return }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    #expect(usage.ru_maxrss < Self.mostMemory >> 10, "\(format): \(usage.ru_maxrss >> 10) MiB")
  }
}
