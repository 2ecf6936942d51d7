import Formats
import KernelLibrary
import OpenCL
import Tensors

extension KernelLibrary {
  /// Creates a run's library.
  ///
  /// It knows which programs the run's configuration needed before, or is likely to need, so that the
  /// context's helpers compile them at the same time at a first start and after an update. Not where
  /// they compile for binaries: there they work beside the run, which is faster than in advance of it.
  ///
  /// - Parameters:
  ///   - context: The context to compile for.
  ///   - configuration: What decides which kernels a step needs.
  ///   - precision: How the run stores activations.
  ///   - typical: How many programs such a step usually needs, to tell how far a first start is.
  convenience init(
    context: Context, configuration: String, precision: Precision, typical: Int
  ) {
    let cache = context.device.compilesForBinaries ? nil : context.cache
    let likely =
      cache == nil
      ? [] : ShippedPrograms.likely(for: configuration, precision: precision, on: context)
    ProgramCount.expect(likely.isEmpty ? typical : likely.count)
    self.init(
      context: context, storing: .later,
      list: cache.map {
        ProgramList(
          cache: $0, family: context.family, configuration: configuration, likely: likely)
      })
  }

  /// Writes what a run has compiled to the cache, once, at a time when nobody waits for a step.
  ///
  /// - Parameters:
  ///   - queues: The queues that run the kernels; they are empty afterwards.
  ///   - note: Gets a line when there is something to write, which may take half a minute.
  func storePrograms(whenEmpty queues: [CommandQueue], note: (String) -> Void) throws {
    guard waitingCount > 0 else { return }
    note("writing \(waitingCount, "compiled kernel file") to the cache, once")
    try Activity.during("writing compiled kernels") {
      for queue in queues { try queue.finish() }
      storePrograms()
    }
  }
}

extension RunConfiguration {
  /// Programs of a step with pyramid and bags, as `baron warmup demo-bags` counts them; other settings
  /// need a few more or less.
  static let typicalPrograms = 51

  /// The sections that decide which kernels a step needs, apart from the sizes of pictures.
  var kernelChoices: String {
    var part = self
    (part.clip, part.data, part.optimizer) = (CLIP(), Data(), Optimizer())
    part.training = Training()
    part.model.start = ""
    part.training.precision = training.precision
    return part.yaml()
  }
}

extension CLIPTrainingConfiguration {
  /// Programs of a step, as `baron warmup demo-teacher` counts them.
  static let typicalPrograms = 22

  /// The sections that decide which kernels a step needs.
  var kernelChoices: String {
    var part = CLIPTrainingConfiguration()
    part.model = model
    part.training.precision = training.precision
    return part.yaml()
  }
}
