import Formats

/// What `baron profile --json` wrote, as far as two profiles can be compared; times are a step's.
package struct SavedProfile: Sendable, Equatable {
  /// The time of the launches of one kernel.
  package struct Kernel: Sendable, Equatable {
    /// The kernel's name.
    package let name: String
    /// The phase of the launches, or nil when the profile does not keep phases apart.
    package let phase: String?
    /// Seconds on the device.
    package let seconds: Double
  }

  /// The time of one phase.
  package struct Phase: Sendable, Equatable {
    /// The phase's name.
    package let name: String
    /// Seconds on the device, all queues together.
    package let deviceSeconds: Double
    /// Seconds of the host without those of phases inside it.
    package let hostSeconds: Double
  }

  /// Where it comes from: the file's path.
  package let source: String
  /// The device's name.
  package let device: String
  /// The driver's version.
  package let driver: String
  /// Seconds of a step by the clock.
  package let wallSeconds: Double
  /// The kernels.
  package let kernels: [Kernel]
  /// The phases.
  package let phases: [Phase]

  /// Reads a file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: `FormatError` naming file and field when it is no profile.
  package init(contentsOf path: String) throws {
    try self.init(try JSONValue(contentsOf: path), source: path)
  }

  /// Takes over a profile.
  ///
  /// - Parameters:
  ///   - value: What `baron profile --json` writes.
  ///   - source: What errors and tables call it.
  /// - Throws: `FormatError` naming source and field when it is no profile.
  package init(_ value: JSONValue, source: String) throws {
    let root = Fields(value: value, source: source, path: "")
    let steps = try root.number("steps")
    guard steps >= 1 else { throw root.wrong("steps", "at least 1") }
    self.source = source
    device = try root.string("device")
    driver = try root.string("driver")
    wallSeconds = try root.number("wall_seconds") / steps
    kernels = try root.list("kernels").map { kernel in
      Kernel(
        name: try kernel.string("kernel"),
        phase: kernel.value["phase"] == nil ? nil : try kernel.string("phase"),
        seconds: try kernel.number("seconds") / steps)
    }
    phases = try root.list("phases").map { phase in
      Phase(
        name: try phase.string("phase"),
        deviceSeconds: try phase.numbers("queue_seconds").reduce(0, +) / steps,
        hostSeconds: try phase.number("host_seconds") / steps)
    }
  }
}

/// An object of a profile that knows where it stands.
private struct Fields {
  let value: JSONValue
  let source, path: String

  func wrong(_ key: String, _ wanted: String) -> FormatError {
    FormatError(
      source, place: path + key,
      "must be \(wanted); take a file that 'baron profile --json' wrote")
  }

  func string(_ key: String) throws -> String {
    guard let text = value[key]?.string else { throw wrong(key, "a text") }
    return text
  }

  func number(_ key: String) throws -> Double {
    guard let number = value[key]?.number, number >= 0 else {
      throw wrong(key, "a number, 0 or more")
    }
    return number
  }

  func numbers(_ key: String) throws -> [Double] {
    guard let members = value[key]?.object else { throw wrong(key, "an object of numbers") }
    let inner = Fields(value: .object(members), source: source, path: "\(path)\(key).")
    return try members.keys.sorted().map { try inner.number($0) }
  }

  func list(_ key: String) throws -> [Fields] {
    guard let elements = value[key]?.array else { throw wrong(key, "a list") }
    return elements.enumerated().map { index, element in
      Fields(value: element, source: source, path: "\(path)\(key)[\(index)].")
    }
  }
}
