import Formats
import Foundation
import OpenCL
import OperatorChecks
import Reporting
import Tensors

/// Every operator compared with the host on one device: with the device's own kernels and with the
/// plain ones, in float32 and, where there is a choice, in 16 bits, in memory full of NaN.
package struct Selftest {
  /// What came of one check.
  struct Row {
    let name: String
    let family: DeviceFamily
    let storage: ElementType
    let result: Result<OperatorCheck.Outcome, any Error>
    let milliseconds: Double

    var outcome: OperatorCheck.Outcome? { try? result.get() }
    var failure: String? {
      guard case .failure(let error) = result else { return nil }
      return "\(error)"
    }
    var isGood: Bool { outcome?.isGood ?? false }
  }

  package let device: Device
  let rows: [Row]
  /// On what products stand with the device's own kernels, by how activations are stored.
  package let rungs: [String]

  /// Checks that were passed.
  package var passed: Int { rows.count { $0.isGood } }
  /// Checks that were not.
  package var failed: Int { rows.count - passed }

  /// Runs all checks.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - prepare: Gets each context before it is used.
  /// - Throws: `OpenCLError` when it has no context; what fails later is a row.
  package init(on device: Device, prepare: (Context) -> Void = { _ in }) throws {
    let own = try DeviceFamily.wanted() ?? device.family
    let families: [DeviceFamily] = own == .generic ? [.generic] : [own, .generic]
    let plan = families.flatMap { family in
      [ElementType.float32, .bfloat16, .float16].map { storage in
        (family, storage, OperatorCheck.all.filter { $0.applies(to: storage) })
      }
    }
    let line = ProgressLine(label: "selftest", total: plan.reduce(0) { $0 + $1.2.count })
    var rows: [Row] = []
    var rungs: [String] = []
    for (family, storage, checks) in plan {
      let context = try Context(device: device, family: family, poisonsBuffers: true)
      prepare(context)
      let stream = try ComputeStream(context: context, activationType: storage)
      for check in checks {
        let start = MonotonicClock.nanoseconds
        let result = Result { try check.run(on: stream) }
        rows.append(
          Row(
            name: check.name, family: family, storage: storage, result: result,
            milliseconds: Double(MonotonicClock.nanoseconds - start) / 1e6))
        line.update(step: rows.count)
      }
      if family == own { rungs.append(stream.matrix.rung) }
    }
    line.finish()
    self.device = device
    self.rows = rows
    self.rungs = rungs
  }

  /// A row for each check.
  package var table: TerminalTable {
    var table = TerminalTable([
      .text("operator"), .text("kernels"), .text("activations"), .text("result"), .number("error"),
      .number("allowed"), .number("ms"),
    ])
    for row in rows {
      table.add([
        row.name, row.family.rawValue, row.storage.rawValue, row.isGood ? "ok" : "FAILED",
        row.outcome.map { String(format: "%.1e", $0.error) } ?? row.failure ?? "",
        row.outcome.map { String(format: "%.0e", $0.tolerance) } ?? "",
        String(format: "%.1f", row.milliseconds),
      ])
    }
    return table
  }

  /// The same for programs.
  package var json: JSONValue {
    [
      "device": .string(device.name), "platform": .string(device.platformName),
      "driver": .string(device.driver), "version": .string(device.version),
      "products": .array(rungs.map { .string($0) }),
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
