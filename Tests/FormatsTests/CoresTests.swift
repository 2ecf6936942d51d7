import Formats
import Foundation
import Testing

@Suite struct CoresTests {
  @Test("the number is that of the cores to which the system has bound the process")
  func usable() throws {
    #expect((1...Cores.all).contains(Cores.usable))
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
      return
    }
    // Groups of 32 cores as hexadecimal numbers.
    let mask = try #require(status.firstMatch(of: /Cpus_allowed:\s*([0-9a-f,]+)/)).1
    let bits = try mask.split(separator: ",").map { group in
      try #require(UInt32(group, radix: 16)).nonzeroBitCount
    }
    #expect(Cores.usable == bits.reduce(0, +))
  }
}
