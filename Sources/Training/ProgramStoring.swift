import KernelLibrary
import OpenCL

extension KernelLibrary {
  /// Writes what a run has compiled to the cache, once, at a time when nobody waits for a step.
  ///
  /// - Parameters:
  ///   - queues: The queues that run the kernels; they are empty afterwards.
  ///   - note: Gets a line when there is something to write, which may take half a minute.
  /// - Throws: `OpenCLError` when the device fails.
  func storePrograms(whenEmpty queues: [CommandQueue], note: (String) -> Void) throws {
    guard waitingCount > 0 else { return }
    note("writing \(waitingCount) compiled kernel files to the cache, once")
    for queue in queues { try queue.finish() }
    storePrograms()
  }
}
