internal import KernelLibrary
internal import OpenCL
internal import Tensors

/// Where numbers are computed.
enum Compute {
  /// A context on a device, with what `baron tune` found for it.
  ///
  /// - Parameters:
  ///   - device: Index, type (gpu, cpu) or part of the name; nil takes the first GPU, else the first
  ///     device.
  ///   - warn: Gets one line when a tuning record cannot be used.
  static func context(on device: String?, warn: (String) -> Void) throws -> Context {
    let context = try Context(device: try Device.choose(device))
    if !TuningStore.isOff, let store = TuningStore.standard {
      try context.loadTuning(from: store, warn: warn)
    }
    return context
  }
}
