import COpenCL

/// The devices of this machine, and what a driver said instead of one.
package struct DeviceSurvey: Sendable {
  /// All devices of all platforms, in the order in which the loader lists them.
  package let devices: [Device]
  /// A line for each platform or device that did not answer, naming it and the cause.
  package let notes: [String]

  init(devices: [Device], notes: [String]) {
    self.devices = devices
    self.notes = notes
  }

  /// Asks every driver.
  ///
  /// One that fails costs its own devices, not those of the others.
  package init() {
    var devices: [Device] = []
    var notes: [String] = []
    for platform in Self.platforms() {
      let name = Self.name(of: platform)
      var count: cl_uint = 0
      let type = cl_device_type(CL_DEVICE_TYPE_ALL)
      var code = clGetDeviceIDs(platform, type, 0, nil, &count)
      var ids = [cl_device_id?](repeating: nil, count: Int(count))
      if code == CL_SUCCESS, count > 0 { code = clGetDeviceIDs(platform, type, count, &ids, nil) }
      guard code == CL_SUCCESS, count > 0 else {
        notes.append(DriverDiagnosis.noDevice(platform: name, code: code))
        continue
      }
      for (number, id) in ids.enumerated() {
        guard let id else { continue }
        do {
          devices.append(try Device(id: id, platformName: name, index: devices.count))
        } catch {
          notes.append("device \(number) of \(name) is left out: \(error)")
        }
      }
    }
    self.devices = devices
    self.notes = notes
  }

  private static func platforms() -> [cl_platform_id] {
    var count: cl_uint = 0
    // The loader answers CL_PLATFORM_NOT_FOUND_KHR when no driver is installed.
    guard clGetPlatformIDs(0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var platforms = [cl_platform_id?](repeating: nil, count: Int(count))
    guard clGetPlatformIDs(count, &platforms, nil) == CL_SUCCESS else { return [] }
    return platforms.compactMap { $0 }
  }

  private static func name(of platform: cl_platform_id) -> String {
    var size = 0
    let key = cl_platform_info(CL_PLATFORM_NAME)
    guard clGetPlatformInfo(platform, key, 0, nil, &size) == CL_SUCCESS else { return "a platform" }
    var bytes = [CChar](repeating: 0, count: size + 1)
    _ = clGetPlatformInfo(platform, key, size, &bytes, nil)
    return String(cBytes: bytes)
  }

  /// The device to compute on.
  ///
  /// - Parameter wanted: An index, a type (`gpu`, `cpu`, `accelerator`), a PCI address or a part of a
  ///   name; nil takes the first GPU with memory of its own, else the first GPU, the first CPU, the
  ///   first accelerator.
  /// - Returns: The device; among several that match, the one preferred as without a wish.
  /// - Throws: ``OpenCLError/noDevice(causes:)``, ``OpenCLError/deviceNotFound(wanted:present:)``, or
  ///   ``OpenCLError/unusable(device:reason:)`` for one that the program cannot compute on.
  package func choose(_ wanted: String?) throws -> Device {
    guard !devices.isEmpty else {
      throw OpenCLError.noDevice(causes: notes + DriverDiagnosis.brokenDrivers())
    }
    let matching = wanted.flatMap { $0.isEmpty ? nil : $0 }.map(matches) ?? devices
    if let best = matching.filter({ $0.obstacle == nil }).min(by: { $0.rank < $1.rank }) {
      return best
    }
    guard let first = matching.first, let obstacle = first.obstacle else {
      throw OpenCLError.deviceNotFound(
        wanted: wanted ?? "", present: devices.map { "\($0.index) \($0.name)" })
    }
    throw OpenCLError.unusable(device: first.name, reason: obstacle)
  }

  /// The device of one of several processes of a machine.
  ///
  /// - Parameters:
  ///   - wanted: As for ``choose(_:)``; the process takes one of those that match and are as good as
  ///     the best one.
  ///   - number: The process among those of the machine.
  /// - Returns: The device, and how many there are to choose from.
  /// - Throws: As ``choose(_:)``.
  package func choose(_ wanted: String?, number: Int) throws -> (device: Device, of: Int) {
    let best = try choose(wanted)
    let matching = wanted.flatMap { $0.isEmpty ? nil : $0 }.map(matches) ?? devices
    let equals = matching.filter { $0.obstacle == nil && $0.rank.0 == best.rank.0 }
      .filter { $0.rank.1 == best.rank.1 }.sorted { $0.index < $1.index }
    guard !equals.isEmpty else { return (best, 1) }
    return (equals[max(0, number) % equals.count], equals.count)
  }

  private func matches(_ wanted: String) -> [Device] {
    if let index = Int(wanted) { return devices.filter { $0.index == index } }
    let word = wanted.lowercased()
    if let kind = DeviceKind(rawValue: word) { return devices.filter { $0.kind == kind } }
    return devices.filter { $0.address == word || $0.name.lowercased().contains(word) }
  }
}

extension Device {
  /// The order of preference: kinds, GPUs with memory of their own first, then the loader's order.
  fileprivate var rank: (Int, Int, Int) {
    let place = DeviceKind.allCases.firstIndex(of: kind) ?? 0
    return (place, kind == .gpu && sharesHostMemory ? 1 : 0, index)
  }

  /// Chooses a device of this machine.
  ///
  /// - Parameter wanted: As for ``DeviceSurvey/choose(_:)``.
  /// - Throws: ``OpenCLError`` when there is none, none matches, or it cannot be used.
  package static func choose(_ wanted: String?) throws -> Device {
    try DeviceSurvey().choose(wanted)
  }
}
