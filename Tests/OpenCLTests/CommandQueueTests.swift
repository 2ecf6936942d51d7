import OpenCL
import TestSupport
import Testing

@Suite("Command queue")
struct CommandQueueTests {
  static let source = """
    __kernel void add_one(__global float *y, int rounds) {
      float value = y[get_global_id(0)];
      for (int i = 0; i < rounds; i++) value += 1;
      y[get_global_id(0)] = value;
    }
    """

  static func kernel(_ context: Context) throws -> Kernel {
    try Program(context: context, name: "AddOne", source: source, options: "").kernel("add_one")
  }

  @Test("Writes, copies with offsets and reads carry the right bytes")
  func transfers() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      let source = try queue.buffer([0, 1, 2, 3, 4, 5])
      let target = try queue.buffer([9, 9, 9, 9])
      try queue.copy(from: source, at: 8, to: target, at: 4, bytes: 8)
      try queue.copy(from: source, to: target, bytes: 0)
      #expect(try queue.floats(target, count: 4) == [9, 2, 3, 9])
      #expect(queue.readCount == 1)
    }
  }

  @Test("A queue that waits for another sees all that the other was given", arguments: [0, 1])
  func ordered(first: Int) throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queues = try ["student", "teacher"].map { try CommandQueue(context: context, name: $0) }
      let (writer, reader) = (queues[first], queues[1 - first])
      let kernel = try Self.kernel(context)
      let count = 4096
      let values = try writer.buffer([Float](repeating: 0, count: count))
      let target = try reader.allocate(bytes: count * 4, label: "target")
      for round in 1...5 {
        for _ in 0..<20 {
          try writer.launch(
            kernel, global: [count], local: [64], [.buffer(values), .int(1000)])
        }
        try reader.wait(for: writer)
        try reader.copy(from: values, to: target, bytes: count * 4)
        let wanted = [Float](repeating: Float(round * 20_000), count: count)
        #expect(try reader.floats(target, count: count) == wanted)
      }
    }
  }

  @Test("A kernel sees new memory and new numbers, also where a released object lay before")
  func changedArguments() throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "test")
      let kernel = try Self.kernel(context)
      let kept = try queue.buffer([0, 0])
      for round in 1...8 {
        let other = try queue.buffer([Float](repeating: 100, count: 64 * round))
        for (buffer, rounds) in [(kept, 1), (kept, 1), (other, 1), (other, 2), (kept, 2)] {
          try queue.launch(kernel, global: [2], local: [1], [.buffer(buffer), .int(rounds)])
        }
        #expect(try queue.floats(kept, count: 2) == [Float](repeating: Float(4 * round), count: 2))
        #expect(try queue.floats(other, count: 3) == [103, 103, 100])
        // The driver may put the next object where this one lay.
        if round % 2 == 0 { try context.releaseUnused() }
      }
    }
  }

  @Test("An argument that the launch refuses is set again by the next one")
  func refusedArgument() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      let kernel = try Self.kernel(queue.context)
      let values = try queue.buffer([0])
      func launch(_ rounds: Int) throws {
        try queue.launch(kernel, global: [1], local: [1], [.buffer(values), .int(rounds)])
      }
      try launch(1)
      #expect(throws: OpenCLError.self) { try launch(1 << 40) }
      try launch(1)
      #expect(try queue.floats(values, count: 1) == [2])
    }
  }

  @Test("A pending read gives what the buffer held when it was asked for")
  func pendingRead() throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "test")
      let kernel = try Self.kernel(context)
      let values = try queue.buffer([Float](repeating: 0, count: 64))
      var reads: [PendingRead] = []
      for _ in 0..<3 {
        try queue.launch(kernel, global: [64], local: [64], [.buffer(values), .int(1)])
        reads.append(try queue.readLater(values, bytes: 256))
      }
      for (index, read) in reads.enumerated() {
        #expect(try read.floats() == [Float](repeating: Float(index + 1), count: 64))
        #expect(try read.floats().first == Float(index + 1))
      }
      #expect(queue.readCount == 3)
    }
  }

  @Test("A pending read that nobody waits for does no harm")
  func abandonedRead() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      for _ in 0..<20 {
        let buffer = try queue.buffer([Float](repeating: 1, count: 10_000))
        _ = try queue.readLater(buffer, bytes: buffer.bytes)
      }
      try queue.finish()
    }
  }

  @Test("A launch of more work-items than the device runs names kernel, both numbers and a remedy")
  func badLocalSize() throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "test")
      let values = try queue.buffer([0])
      let local = 2 * device.largestWorkGroup
      #expect {
        try queue.launch(
          try Self.kernel(context), global: [local], local: [local], [.buffer(values), .int(1)])
      } throws: { error in
        "\(error)"
          == "add_one needs work-groups of \(local) work-items and the driver runs it with "
          + "\(device.largestWorkGroup) at most: update the driver or use another device"
      }
    }
  }

  @Test("Nothing runs when a global size is 0")
  func emptyLaunch() throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "test")
      let values = try queue.buffer([3])
      try queue.launch(
        try Self.kernel(context), global: [0], local: [1], [.buffer(values), .int(1)])
      #expect(try queue.floats(values, count: 1) == [3])
    }
  }
}
