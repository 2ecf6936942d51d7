import Foundation

extension DeviceFamily {
  /// The family that the user asks for instead of the device's own.
  ///
  /// - Parameter text: What is asked for; nothing, or empty, leaves the choice to the device.
  /// - Returns: The family, or nil.
  /// - Throws: ``OpenCLError/kernelFamily(wanted:)`` when there is none of that name.
  package static func wanted(
    _ text: String? = ProcessInfo.processInfo.environment["BARON_KERNEL_FAMILY"]
  ) throws -> DeviceFamily? {
    guard let text, !text.isEmpty else { return nil }
    guard let family = DeviceFamily(rawValue: text.lowercased()) else {
      throw OpenCLError.kernelFamily(wanted: text)
    }
    return family
  }

  /// The family of a device by its type, maker and platform.
  ///
  /// The CPU's kernels suit compilers that make one thread of a work-item. PoCL's and Intel's do;
  /// others, such as llvmpipe, spread work-items over vectors, for which the generic ones are written.
  init(isCPU: Bool, maker: String, platform: String) {
    let maker = maker.lowercased()
    if isCPU {
      self = Device.compilesForItself(platform) ? .cpu : .generic
    } else if maker.contains("nvidia") {
      self = .nvidia
    } else if maker.contains("amd") || maker.contains("advanced micro") {
      self = .amd
    } else if maker.contains("intel") {
      self = .intel
    } else {
      self = .generic
    }
  }
}

extension Device {
  /// Whether the compiler is clang for the processor that runs the kernels, with its builtins.
  package var compilesForItself: Bool { kind == .cpu && Self.compilesForItself(platformName) }

  fileprivate static func compilesForItself(_ platform: String) -> Bool {
    platform == "Portable Computing Language" || platform == "Intel(R) OpenCL"
      || platform.hasPrefix("Intel(R) CPU Runtime")
  }
}
