import Foundation
import OpenCL
import TestSupport
import Testing

@Suite("Programs written to the cache later")
struct ProgramStoringTests {
  private static func programs(_ context: Context, _ numbers: Range<Int>) throws -> [Program] {
    try numbers.map { number in
      try Program(
        context: context, name: "Answer\(number)",
        source: "__kernel void answer(__global float *y) { y[0] = \(number); }\n", options: "",
        stores: false)
    }
  }

  private static func entries(_ folder: String) -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: folder))?.count ?? 0
  }

  @Test("nothing is written before, all after, while kernels run")
  func later() throws {
    try exclusively { device in
      try withTemporaryFolder { folder in
        let context = try Context(device: device, cache: ProgramCache(folder: folder))
        let queue = try CommandQueue(context: context, name: "test")
        let target = try queue.allocate(bytes: 4, label: "answer")
        let programs = try Self.programs(context, 0..<6)
        #expect(programs.allSatisfy { $0.origin == .source })
        #expect(Self.entries(folder) == 0)
        let storing = ProgramStoring(programs)
        for _ in 0..<20 {
          for (number, program) in programs.enumerated() {
            try queue.launch(
              try program.kernel("answer"), global: [1], local: [1], [.buffer(target)])
            #expect(try queue.floats(target, count: 1) == [Float(number)])
          }
        }
        storing.finish()
        #expect(Self.entries(folder) == 6)
        #expect(try Self.programs(context, 0..<7).map(\.origin).count { $0 == .cache } == 6)
      }
    }
  }

  @Test("stopping leaves whole entries only, and a second stop is nothing")
  func stopped() throws {
    try exclusively { device in
      try withTemporaryFolder { folder in
        let context = try Context(device: device, cache: ProgramCache(folder: folder))
        let storing = ProgramStoring(try Self.programs(context, 0..<6))
        storing.stop()
        storing.stop()
        let count = Self.entries(folder)
        #expect(count <= 6)
        let again = try Self.programs(context, 0..<6)
        #expect(again.count { $0.origin == .cache } == count)
        // Those from the cache are not written again.
        ProgramStoring(again).finish()
        #expect(Self.entries(folder) == 6)
      }
    }
  }

  @Test("without a cache there is nothing to do")
  func noCache() throws {
    try exclusively { device in
      let context = try Context(device: device, cache: nil)
      ProgramStoring(try Self.programs(context, 0..<1)).finish()
      ProgramStoring([]).stop()
    }
  }
}
