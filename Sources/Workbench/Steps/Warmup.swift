import CLIP
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Reporting
import Tensors
import Training

/// Runs training steps on drawn pictures until all their kernels are compiled and in the cache.
///
/// A step, not a list of programs: which programs and which local sizes a step needs follows from
/// widths, sizes and the device, and only the step itself knows it for sure.
package final class Warmup {
  /// Programs by where they came from.
  package struct Counts {
    package let compiled, cached: Int
    /// How many of the compiled ones other processes compiled for the cache.
    package let helped: Int
  }

  /// The second step finds the queues of the first one filled and is the last that brings new
  /// kernels.
  private static let steps = 2

  private let context: Context
  private let folder: TemporaryFolder
  private let line: ProgressLine
  private var done = 0

  /// Makes the folder for what is drawn.
  ///
  /// - Parameter context: The device and the cache to fill.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  package init(context: Context) throws {
    self.context = context
    folder = try TemporaryFolder("warmup")
    line = ProgressLine(label: "warmup", total: Self.steps + 3, interval: .steps(1))
  }

  /// Makes the steps of a training on drawn pictures.
  ///
  /// - Parameters:
  ///   - training: What is trained; paths do not matter but for `clip.folder`.
  ///   - teacher: The widths of a made-up teacher, used when `clip.folder` holds none.
  /// - Returns: How many programs there were.
  package func run(
    _ training: StepRunner, teacher: ContrastiveSizes
  ) throws -> Counts {
    let drawn = try training.drawn(inputs, teacher: teacher)
    advance()
    var parts: StepRunner.Parts?
    do {
      try drawn.run(on: context, steps: Self.steps) { [self] in
        parts = $0
        advance()
        line.note("compiling; the first time on a device this takes up to a minute")
      } afterStep: { [self] parts, _ in
        // Some drivers compile a second time when a kernel first runs.
        try parts.finish()
        advance()
      }
    } catch TrainingError.notFinite {
      // Start weights and pictures are made up; the kernels have run all the same.
    }
    try parts?.finish()
    let library = parts?.library
    library?.storePrograms()
    done = Self.steps + 2
    advance()
    line.finish()
    let ahead = library?.aheadCount ?? 0
    return Counts(
      compiled: (library?.compiledCount ?? 0) + ahead, cached: library?.cachedCount ?? 0,
      helped: (library?.helpedCount ?? 0) + ahead)
  }

  /// Shows that one more part is done.
  private func advance() {
    done += 1
    line.update(step: done)
  }

  /// Depth changes no kernel, so two blocks of a teacher are enough.
  private var inputs: DrawnInputs {
    DrawnInputs(
      folder: folder.path, context: context, mostLayers: 2, note: { [line] in line.note($0) })
  }
}
