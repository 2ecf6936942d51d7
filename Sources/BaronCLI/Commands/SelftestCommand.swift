import ArgumentParser
import Formats
import OpenCL
import Reporting
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

  func run() throws {
    let test = try Selftest(on: try device.choose()) { $0.tryElsewhere() }
    let device = test.device
    if json {
      try Console.print(test.json.text(pretty: true))
    } else {
      try Console.print(test.table.text(style: .detect(descriptor: 1)), terminator: "")
      try Console.print(
        """

        device    \(device.name), \(device.vendor), \(device.platformName)
        driver    \(device.driver), \(device.version)
        products  \(test.rungs.joined(separator: "\n          "))
        checks    \(test.passed) ok, \(test.failed) failed
        """)
    }
    guard test.failed == 0 else { throw SelftestError(failed: test.failed, device: device.name) }
  }
}

/// A device that computes something wrong.
struct SelftestError: Error, CustomStringConvertible {
  let failed: Int
  let device: String

  var description: String {
    "\(failed, "check") failed on \(device): do not train on it; update its driver, or take "
      + "another device, and report the table above"
  }
}
