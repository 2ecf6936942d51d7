import Foundation
import TestSupport
import Testing

/// An OpenCL driver with a fault, made of the machine's own by a library that is loaded first.
enum BadDriver {
  private static let compiler = ["clang", "cc", "gcc"].flatMap { name in
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map {
      "\($0)/\(name)"
    }
  }.first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Whether one can be made, and why not.
  static let available = compiler != nil
  static let missing: Comment = "there is no C compiler to make a bad driver with"

  /// Makes one.
  ///
  /// - Parameters:
  ///   - functions: C that defines functions of OpenCL in place of the driver's.
  ///   - scratch: Where the library is put.
  /// - Returns: The variable that loads it.
  /// - Throws: When the compiler fails.
  static func make(_ functions: String, in scratch: Scratch) throws -> [String: String] {
    let source = try scratch.write(
      """
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <stdlib.h>
      #include <string.h>
      #include <unistd.h>
      \(functions)
      """, "driver.c")
    let library = scratch.folder + "/driver.so"
    let process = Process()
    process.executableURL = URL(filePath: try #require(compiler))
    process.arguments = ["-shared", "-fPIC", "-w", "-o", library, source, "-ldl"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return ["LD_PRELOAD": library]
  }
}
