import Formats
import OpenCL

extension TuningRecord.Key {
  /// The key of a device's matrix kernels.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - family: Which kernels it gets.
  /// - Throws: ``KernelSource/Missing``.
  package init(_ device: Device, family: DeviceFamily) throws {
    let files: [String] =
      switch family {
      case .cpu: ["MatrixProductCPU.cl", "MatrixProduct16BitCPU.cl", "MatrixProduct.cl"]
      case .nvidia:
        ["MatrixProductNVIDIA.cl", "MatrixProduct16BitNVIDIA.cl", "MatrixProduct.cl"]
      case .amd, .intel, .generic: ["MatrixProduct.cl"]
      }
    self.init(
      device: device.name, platform: device.platformName, driver: device.driver, family: family,
      source: try KernelSource.digest(of: files))
  }
}

extension KernelSource {
  /// The hash of kernel files with all that they include.
  ///
  /// - Parameter files: Paths below `Kernels/`.
  /// - Returns: 64 hexadecimal digits.
  /// - Throws: ``Missing``.
  package static func digest(of files: [String]) throws -> String {
    var hash = SHA256()
    for file in files { hash.update(try assembled(file)) }
    return hash.hexadecimal()
  }
}

extension Context {
  /// Takes up what was found for this device, unless there is nothing.
  ///
  /// - Parameters:
  ///   - store: Where records lie.
  ///   - warn: Gets one line when a record cannot be used.
  /// - Throws: ``KernelSource/Missing``.
  package func loadTuning(from store: TuningStore, warn: (String) -> Void) throws {
    guard !store.isEmpty else { return }
    tuning = store.load(try TuningRecord.Key(device, family: family), warn: warn)?.table
  }
}
