import COpenCL
import Foundation

/// Why a driver that is installed gives no device, as far as the machine tells.
package enum DriverDiagnosis {
  /// The installed drivers whose library does not load: a line each with file, library and reason.
  ///
  /// The loader passes over such drivers without a word.
  ///
  /// - Returns: The lines; empty when every driver loads.
  package static func brokenDrivers() -> [String] {
    driverFiles().compactMap { file in
      guard let content = try? String(contentsOfFile: file, encoding: .utf8) else {
        return "\(file) cannot be read"
      }
      let library = content.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
      guard !library.isEmpty else { return "\(file) names no library" }
      guard let handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL) else {
        let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
        return "the driver of \(file) does not load: \(reason)"
      }
      dlclose(handle)
      return nil
    }
  }

  /// The `.icd` files where the loader looks for drivers.
  private static func driverFiles() -> [String] {
    let wanted = ProcessInfo.processInfo.environment["OCL_ICD_VENDORS"] ?? ""
    let place = wanted.isEmpty ? "/etc/OpenCL/vendors" : wanted
    if place.hasSuffix(".icd") { return [place] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
    return names.filter { $0.hasSuffix(".icd") }.sorted().map { "\(place)/\($0)" }
  }

  /// What stands in the way of a platform that lists no device.
  ///
  /// - Parameters:
  ///   - platform: Its name.
  ///   - code: What the driver answered.
  /// - Returns: A line with platform, answer, and the remedy where one is known.
  static func noDevice(platform: String, code: Int32) -> String {
    let answer = code == CL_SUCCESS ? "no device" : OpenCLError.name(of: code)
    let remedy =
      if platform == "Portable Computing Language" {
        poclRemedy()
      } else {
        deviceFileRemedy()
      }
    return "\(platform) answers \(answer)" + (remedy.map { ": \($0)" } ?? "")
  }

  /// Why a driver's compiler failed where its log names no fault of the program.
  ///
  /// - Parameters:
  ///   - platform: The driver's platform.
  ///   - log: What the compiler said.
  ///   - folder: Where PoCL keeps what it compiles.
  /// - Returns: The cause with its remedy, or nil when none is known.
  static func failedBuild(
    platform: String, log: String, cache folder: String = poclCache
  ) -> String? {
    guard platform == "Portable Computing Language", !log.contains("error:") else { return nil }
    let probe = "\(folder)/.baron-\(getpid())"
    defer { unlink(probe) }
    do {
      // A program and what it is linked from.
      try Data(count: 1 << 18).write(to: URL(filePath: probe))
      return nil
    } catch let error as CocoaError where error.code == .fileWriteOutOfSpace {
      return
        "its cache folder \(folder) is full; make room, or set POCL_CACHE_DIR to another folder"
    } catch {
      return "its cache folder \(folder) cannot be written to; set POCL_CACHE_DIR to another folder"
    }
  }

  static var poclCache: String {
    let environment = ProcessInfo.processInfo.environment
    return environment["POCL_CACHE_DIR"]
      ?? environment["XDG_CACHE_HOME"].map { "\($0)/pocl" }
      ?? environment["HOME"].map { "\($0)/.cache/pocl" } ?? "/tmp/pocl"
  }

  /// PoCL finds no device where it cannot make its cache folder.
  private static func poclRemedy() -> String? {
    let folder = poclCache
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard access(folder, W_OK) != 0 else { return nil }
    return "it cannot make its cache folder \(folder); set POCL_CACHE_DIR to a folder that can be "
      + "written"
  }

  /// A GPU's driver finds no device where the user may not open the device's file.
  private static func deviceFileRemedy() -> String? {
    let render = ((try? FileManager.default.contentsOfDirectory(atPath: "/dev/dri")) ?? [])
      .filter { $0.hasPrefix("renderD") }.map { "/dev/dri/\($0)" }
    let files = render + ["/dev/kfd", "/dev/nvidia0", "/dev/nvidiactl"]
    let closed = files.filter {
      FileManager.default.fileExists(atPath: $0) && access($0, R_OK | W_OK) != 0
    }
    guard !closed.isEmpty else { return nil }
    return "\(closed.joined(separator: ", ")) cannot be opened by this user; join the groups "
      + "render and video, or run as one who may"
  }
}
