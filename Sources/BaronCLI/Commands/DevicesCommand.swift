import ArgumentParser
import Formats
import Foundation
import OpenCL
import Reporting

/// `baron devices`: what the machine can compute on.
struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "List the OpenCL devices and the one that would be used.")

  @OptionGroup var selection: DeviceOption

  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  func run() throws {
    let survey = DeviceSurvey()
    let devices = survey.devices
    let notes = survey.notes + DriverDiagnosis.brokenDrivers()
    let chosen = try survey.choose(selection.wanted?.text)
    let reason = self.reason(for: chosen)
    if json {
      try Console.print(
        Self.json(devices, chosen: chosen, reason: reason, notes: notes).text(pretty: true))
      return
    }
    try Console.print(
      Self.table(devices, chosen: chosen).text(style: .detect(descriptor: 1)), terminator: "")
    try Console.print("\n* \(chosen.index) is used: \(reason)")
    for device in devices {
      if let obstacle = device.obstacle {
        try Console.print("\(device.index) cannot be used: \(obstacle)")
      }
    }
    for note in notes { try Console.print(note) }
  }

  private func reason(for device: Device) -> String {
    if let wanted = selection.wanted { return "the first that matches \(wanted.origin)" }
    switch device.kind {
    case .gpu:
      return device.sharesHostMemory ? "the first GPU" : "the first GPU with memory of its own"
    case .cpu: return "the first CPU, as there is no GPU"
    case .accelerator: return "the first device, as there is neither GPU nor CPU"
    }
  }

  private static func table(_ devices: [Device], chosen: Device) -> TerminalTable {
    var table = TerminalTable([
      .text("use"), .number("index"), .text("type"), .text("name"), .text("platform"),
      .number("units"), .number("memory"), .number("local"), .text("half"), .text("OpenCL"),
      .text("driver"), .text("address"),
    ])
    for device in devices {
      table.add([
        device.index == chosen.index ? "*" : "", "\(device.index)", device.kind.rawValue,
        device.name, device.platformName, "\(device.computeUnits)", size(device.memoryInBytes),
        size(device.localMemoryInBytes), device.supportsHalf ? "yes" : "no",
        device.version.split(separator: " ").dropFirst().first.map(String.init) ?? device.version,
        device.driver, device.address ?? "-",
      ])
    }
    return table
  }

  private static func json(
    _ devices: [Device], chosen: Device, reason: String, notes: [String]
  ) -> JSONValue {
    .object([
      "chosen": .number(Double(chosen.index)),
      "reason": .string(reason),
      "notes": .array(notes.map { .string($0) }),
      "devices": .array(
        devices.map { device in
          .object([
            "index": .number(Double(device.index)),
            "type": .string(device.kind.rawValue),
            "usable": .bool(device.obstacle == nil),
            "address": device.address.map { .string($0) } ?? .null,
            "name": .string(device.name),
            "vendor": .string(device.vendor),
            "platform": .string(device.platformName),
            "version": .string(device.version),
            "driver": .string(device.driver),
            "kernel_family": .string(device.family.rawValue),
            "compute_units": .number(Double(device.computeUnits)),
            "clock_in_megahertz": .number(Double(device.clockInMegahertz)),
            "memory_in_bytes": .number(Double(device.memoryInBytes)),
            "largest_buffer_in_bytes": .number(Double(device.largestBufferInBytes)),
            "local_memory_in_bytes": .number(Double(device.localMemoryInBytes)),
            "largest_work_group": .number(Double(device.largestWorkGroup)),
            "half": .bool(device.supportsHalf),
          ])
        }),
    ])
  }

  /// Bytes in the largest binary unit that keeps the number at 1 or more.
  private static func size(_ bytes: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1024, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    let isWhole = value == value.rounded()
    return String(format: isWhole ? "%.0f %@" : "%.1f %@", value, units[unit])
  }
}
