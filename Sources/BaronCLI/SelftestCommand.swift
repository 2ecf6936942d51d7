import ArgumentParser
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Workbench

/// `baron selftest`: compares every operator with the host on this device.
struct SelftestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "selftest",
    abstract: "Compare every operator with a host reference on this device.",
    discussion: """
      Example: baron selftest --device gpu

      Each operator runs forward and backward on random inputs, with the device's own kernels and \
      with the plain OpenCL C 1.2 ones, in float32 and where there is a choice in 16 bits, in \
      memory full of NaN. Exits with 1 when one is wrong: drivers differ, so send the output along \
      with a report.
      """)

  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  @OptionGroup var device: DeviceOption

  private struct Row {
    let name: String
    let family: DeviceFamily
    let storage: ElementType
    let outcome: OperatorCheck.Outcome?
    let failure: String?
    let milliseconds: Double

    var isGood: Bool { outcome?.isGood ?? false }
  }

  func run() throws {
    let device = try device.choose()
    let own = try DeviceFamily.wanted() ?? device.family
    let families: [DeviceFamily] = own == .generic ? [.generic] : [own, .generic]
    let checks = LayerChecks.all + DetectionChecks.all + SamplingChecks.all
    let plan = families.flatMap { family -> [(DeviceFamily, ElementType)] in
      [ElementType.float32, .bfloat16, .float16].map { (family, $0) }
    }
    let total = plan.reduce(0) { sum, run in sum + checks.count { $0.applies(to: run.1) } }
    let line = ProgressLine(label: "selftest", total: total)
    var rows: [Row] = []
    for (family, storage) in plan {
      let stream = try ComputeStream(
        context: try Context(device: device, family: family, poisonsBuffers: true),
        activationType: storage)
      for check in checks where check.applies(to: storage) {
        rows.append(Self.row(check, family, stream))
        line.update(step: rows.count)
      }
    }
    line.finish()
    let failed = rows.count { !$0.isGood }
    if json {
      try Console.print(Self.document(rows, device).text(pretty: true))
    } else {
      try Console.print(Self.table(rows), terminator: "")
      try Console.print(
        """

        device    \(device.name), \(device.vendor), \(device.platformName)
        driver    \(device.driver), \(device.version)
        checks    \(rows.count - failed) ok, \(failed) failed
        """)
    }
    guard failed == 0 else { throw SelftestError(failed: failed, device: device.name) }
  }

  private static func row(
    _ check: OperatorCheck, _ family: DeviceFamily, _ stream: ComputeStream
  ) -> Row {
    let start = MonotonicClock.nanoseconds
    let result = Result { try check.run(on: stream) }
    let milliseconds = Double(MonotonicClock.nanoseconds - start) / 1e6
    switch result {
    case .success(let outcome):
      return Row(
        name: check.name, family: family, storage: stream.activationType, outcome: outcome,
        failure: nil,
        milliseconds: milliseconds)
    case .failure(let error):
      return Row(
        name: check.name, family: family, storage: stream.activationType, outcome: nil,
        failure: "\(error)",
        milliseconds: milliseconds)
    }
  }

  private static func table(_ rows: [Row]) -> String {
    var table = TerminalTable([
      .text("operator"), .text("kernels"), .text("activations"), .text("result"), .number("error"),
      .number("allowed"),
      .number("ms"),
    ])
    for row in rows {
      table.add([
        row.name, row.family.rawValue, row.storage.rawValue, row.isGood ? "ok" : "FAILED",
        row.outcome.map { String(format: "%.1e", $0.error) } ?? row.failure ?? "",
        row.outcome.map { String(format: "%.0e", $0.tolerance) } ?? "",
        String(format: "%.1f", row.milliseconds),
      ])
    }
    return table.text(style: TerminalStyle.detect(descriptor: 1))
  }

  private static func document(_ rows: [Row], _ device: Device) -> JSONValue {
    [
      "device": .string(device.name), "platform": .string(device.platformName),
      "driver": .string(device.driver), "version": .string(device.version),
      "checks": .array(
        rows.map { row in
          [
            "operator": .string(row.name), "kernels": .string(row.family.rawValue),
            "activations": .string(row.storage.rawValue),
            "ok": .bool(row.isGood), "error": row.outcome.map { .number($0.error) } ?? .null,
            "allowed": row.outcome.map { .number($0.tolerance) } ?? .null,
            "failure": row.failure.map { .string($0) } ?? .null,
            "milliseconds": .number(row.milliseconds),
          ]
        }),
    ]
  }
}

/// A device that computes something wrong.
struct SelftestError: Error, CustomStringConvertible {
  let failed: Int
  let device: String

  var description: String {
    "\(failed) checks failed on \(device): do not train on it; update its driver, or take another "
      + "device, and report the table above"
  }
}
