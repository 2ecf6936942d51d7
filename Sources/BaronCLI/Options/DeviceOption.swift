import ArgumentParser
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Tensors

/// The device that a command computes on.
struct DeviceOption: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Index, type (gpu, cpu) or part of the name of the OpenCL device.",
      discussion: "Without it $BARON_DEVICE counts, then the first GPU, then the first device.",
      valueName: "device"))
  var device: String?

  @Flag(
    help: ArgumentHelp(
      "Convolve directly, without Winograd's algorithm.",
      discussion: "Slower; 'baron selftest' prints the errors of both."))
  var exactConvolution = false

  @Flag(
    help: ArgumentHelp(
      "Leave out what 'baron tune' found for this device.",
      discussion: "BARON_TUNING=off does the same."))
  var shippedPlans = false

  /// What the user asked for, and in words where; nil when the choice is ours.
  var wanted: (text: String, origin: String)? {
    if let device { return (device, "--device \(device)") }
    let variable = ProcessInfo.processInfo.environment["BARON_DEVICE"] ?? ""
    return variable.isEmpty ? nil : (variable, "BARON_DEVICE=\(variable)")
  }

  /// The device.
  ///
  /// - Returns: The wanted device, else the first GPU, else the first device.
  /// - Throws: `OpenCLError` when there is none or none matches.
  func choose() throws -> Device { try Device.choose(wanted?.text) }

  /// A context on the device.
  ///
  /// - Parameter isTuned: Whether it takes up what 'baron tune' found.
  /// - Returns: The context, with the user's cache of compiled programs.
  /// - Throws: `OpenCLError` when there is no such device or the driver refuses.
  func makeContext(isTuned: Bool = true) throws -> Context {
    try makeContext(on: choose(), isTuned: isTuned)
  }

  /// A context on a device that was chosen.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - isTuned: Whether it takes up what 'baron tune' found.
  /// - Returns: The context, with the user's cache of compiled programs.
  /// - Throws: `OpenCLError` when the driver refuses.
  func makeContext(on device: Device, isTuned: Bool = true) throws -> Context {
    let context = try Context(device: device, isExact: exactConvolution)
    if isTuned, !shippedPlans, !TuningStore.isOff, let store = TuningStore.standard {
      try context.loadTuning(from: store) { Console.warn($0) }
    }
    context.tryElsewhere()
    return context
  }

  /// A stream on the device.
  ///
  /// - Parameters:
  ///   - precision: How activations are stored.
  ///   - profiler: Records the times of what runs, or nil.
  /// - Returns: The stream, in a context of its own.
  /// - Throws: `OpenCLError` when there is no such device or the driver refuses.
  func makeStream(
    for precision: Precision = .float32, profiler: Profiler? = nil
  ) throws -> ComputeStream {
    let context = try makeContext()
    return try ComputeStream(
      context: context, profiler: profiler,
      activationType: try precision.activationType(on: context))
  }
}
