import Foundation
import OpenCL
import TestSupport
import Testing

@Suite("Programs and their cache")
struct ProgramTests {
  /// Writes a number into the first element.
  private static func source(_ number: Int) -> String {
    "__kernel void answer(__global float *y) { y[0] = \(number) + EXTRA; }\n"
  }

  private static func answer(
    _ context: Context, _ number: Int, options: String = "-D EXTRA=0"
  ) throws -> Float? {
    let queue = try CommandQueue(context: context, name: "test")
    let program = try Program(
      context: context, name: "Answer", source: source(number), options: options)
    let target = try queue.allocate(bytes: 4, label: "answer")
    try queue.launch(try program.kernel("answer"), global: [1], local: [1], [.buffer(target)])
    return try queue.floats(target, count: 1).first
  }

  private static func entries(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { "\(folder)/\($0)" }
  }

  @Test("A build error carries options, file and line and the path of the source")
  func buildError() throws {
    try exclusively { device in
      let context = try Context(device: device, cache: nil)
      let source = "#line 41 \"Kernels/Wrong.cl\"\n\n__kernel void wrong() { missing_name = 1; }\n"
      #expect {
        _ = try Program(context: context, name: "Wrong", source: source, options: "-D SIDE=3")
      } throws: { error in
        guard case OpenCLError.build(let program, let options, let log, let path) = error else {
          return false
        }
        let text = "\(error)"
        #expect(program == "Wrong" && options == "-D SIDE=3")
        #expect(log.contains("Kernels/Wrong.cl:42") && log.contains("missing_name"), "\(log)")
        #expect(text.contains("does not compile with '-D SIDE=3'") && text.hasSuffix(log))
        let saved = try String(contentsOfFile: path, encoding: .utf8)
        return text.contains(path) && saved == source
      }
    }
  }

  @Test("A kernel that the program lacks is named")
  func missingKernel() throws {
    try exclusively { device in
      let context = try Context(device: device, cache: nil)
      let program = try Program(
        context: context, name: "Answer", source: Self.source(1), options: "-D EXTRA=0")
      #expect {
        _ = try program.kernel("question")
      } throws: { error in
        "\(error)".contains("question of Answer") && "\(error)".contains("CL_INVALID_KERNEL_NAME")
      }
    }
  }

  @Test("Options and source decide which entry is used")
  func keys() throws {
    try exclusively { device in
      try withTemporaryFolder { folder in
        let context = try Context(device: device, cache: ProgramCache(folder: folder))
        #expect(try Self.answer(context, 1) == 1)
        #expect(try Self.answer(context, 2) == 2)
        #expect(try Self.answer(context, 1, options: "-D EXTRA=10") == 11)
        #expect(try Self.entries(folder).count == 3)
        #expect(try Self.answer(context, 1) == 1)
        #expect(try Self.entries(folder).count == 3)
      }
    }
  }

  @Test("A second build takes the binary from the cache")
  func loaded() throws {
    try exclusively { device in
      try withTemporaryFolder { folder in
        let context = try Context(device: device, cache: ProgramCache(folder: folder))
        _ = try Self.answer(context, 1)
        let first = try #require(try Self.entries(folder).first)
        _ = try Self.answer(context, 2)
        let second = try #require(try Self.entries(folder).first { $0 != first })
        // With the other program's entry in its place, a build from the cache gives the other
        // program's answer.
        try FileManager.default.removeItem(atPath: first)
        try FileManager.default.copyItem(atPath: second, toPath: first)
        #expect(try Self.answer(context, 1) == 2)
      }
    }
  }

  @Test(
    "A damaged entry is ignored and written anew",
    arguments: [
      "flipped bit", "cut short", "only a hash", "empty",
    ])
  func damaged(kind: String) throws {
    try exclusively { device in
      try withTemporaryFolder { folder in
        let context = try Context(device: device, cache: ProgramCache(folder: folder))
        _ = try Self.answer(context, 1)
        let path = try #require(try Self.entries(folder).first)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        switch kind {
        case "flipped bit": bytes[bytes.count / 2] ^= 4
        case "cut short": bytes = bytes.prefix(bytes.count / 2)
        case "only a hash": bytes = bytes.prefix(64)
        default: bytes = Data()
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(try Self.answer(context, 1) == 1)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) != bytes)
        #expect(try Self.answer(context, 1) == 1)
      }
    }
  }

  @Test("A cache that cannot be written costs nothing but time")
  func unwritable() throws {
    try exclusively { device in
      try withTemporaryFolder { folder in
        // Below a plain file no folder can be made, not even by root.
        let file = "\(folder)/file"
        try Data([1]).write(to: URL(fileURLWithPath: file))
        let context = try Context(device: device, cache: ProgramCache(folder: "\(file)/programs"))
        #expect(try Self.answer(context, 5) == 5)
        #expect(try Self.answer(context, 5) == 5)
      }
    }
  }
}
