import COpenCL
import Formats
import Synchronization

/// A piece of device memory; returns to its queue's pool when the last reference goes.
package final class Buffer {
  /// The driver's memory object; its handle may be that of an object released before.
  let memory: Memory
  /// Usable bytes; the pool may have reserved more.
  package let bytes: Int
  /// What it holds, for memory reports.
  package let label: String
  private let owner: Owner

  private enum Owner {
    case pool(BufferPool, sizeClass: Int)
    /// The memory is part of another buffer, from a byte on.
    case whole(Buffer, offset: Int)
  }

  var handle: cl_mem { memory.handle }
  /// Whether it is a part of another buffer.
  package var isPart: Bool { if case .whole = owner { true } else { false } }

  init(_ memory: Memory, bytes: Int, sizeClass: Int, label: String, pool: BufferPool) {
    self.memory = memory
    self.bytes = bytes
    self.label = label
    owner = .pool(pool, sizeClass: sizeClass)
  }

  private init(_ memory: Memory, bytes: Int, of whole: Buffer, at offset: Int) {
    self.memory = memory
    self.bytes = bytes
    label = whole.label
    owner = .whole(whole, offset: offset)
  }

  deinit {
    switch owner {
    case .pool(let pool, let sizeClass):
      pool.recycle(memory, sizeClass: sizeClass, label: label)
    case .whole: clReleaseMemObject(handle)
    }
  }

  /// A part of this buffer under a handle of its own, for kernels that know nothing of the whole.
  ///
  /// - Parameters:
  ///   - offset: Its first byte, a multiple of ``Device/bufferAlignment``.
  ///   - bytes: Its length, at least 1.
  /// - Returns: The part, which keeps this buffer alive.
  package func part(at offset: Int, bytes: Int) throws -> Buffer {
    precondition(offset >= 0 && bytes > 0 && offset + bytes <= self.bytes, "part of \(label)")
    // OpenCL has no parts of parts.
    if case .whole(let whole, let start) = owner {
      return try whole.part(at: start + offset, bytes: bytes)
    }
    var region = cl_buffer_region(origin: offset, size: bytes)
    var code: cl_int = 0
    guard
      let handle = clCreateSubBuffer(
        handle, cl_mem_flags(CL_MEM_READ_WRITE),
        cl_buffer_create_type(CL_BUFFER_CREATE_TYPE_REGION),
        &region, &code)
    else { throw OpenCLError.call("clCreateSubBuffer", code: code, about: label) }
    return Buffer(Memory(handle), bytes: bytes, of: self, at: offset)
  }
}

/// A memory object of the driver with a number that no other has had.
struct Memory {
  let handle: cl_mem
  let number: UInt64

  private static let count = Atomic<UInt64>(0)

  init(_ handle: cl_mem) {
    self.handle = handle
    number = Self.count.add(1, ordering: .relaxed).newValue
  }
}

/// Caches the buffers of one in-order queue by size class.
///
/// A buffer that is given back may be handed out again at once although kernels that use it are
/// still queued: the queue runs in order, so the next user comes after them. A buffer that another
/// queue reads must therefore be kept alive until the queues have met (``CommandQueue/wait(for:)``).
package final class BufferPool {
  /// Bytes in use and their highest value, for one label or all.
  package struct Statistics: Sendable {
    /// Bytes in use now.
    package var live = 0
    /// Highest number of bytes in use at a time.
    package var peak = 0
    /// Buffers handed out so far.
    package var count = 0

    mutating func add(_ bytes: Int) {
      live += bytes
      peak = max(peak, live)
      count += 1
    }
  }

  private let context: Context
  private var free: [Int: [Memory]] = [:]
  /// Use by label.
  package private(set) var byLabel: [String: Statistics] = [:]
  /// Use in total.
  package private(set) var total = Statistics()
  /// Bytes that the pool holds from the driver, in use or not.
  package var reserved: Int { total.live + unused }
  /// Bytes of it that no buffer uses.
  private(set) var unused = 0

  init(context: Context) {
    self.context = context
  }

  deinit { release() }

  /// Gives all unused buffers back to the driver; the queue must be idle.
  func release() {
    for memory in free.values.joined() { clReleaseMemObject(memory.handle) }
    free = [:]
    unused = 0
  }

  /// Forgets the peaks, so that the next report starts from what is live now.
  package func resetPeaks() {
    total.peak = total.live
    byLabel = byLabel.mapValues {
      var statistics = $0
      statistics.peak = statistics.live
      return statistics
    }
  }

  /// Rounds up to one of eight steps per power of two, at least 256 bytes.
  static func sizeClass(of bytes: Int) -> Int {
    guard bytes > 256 else { return 256 }
    let step = max(256, 1 << max(0, Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount - 3))
    return bytes.roundedUp(toMultipleOf: step)
  }

  func allocate(bytes: Int, label: String, queue: CommandQueue) throws -> Buffer {
    let limit = context.device.largestBufferInBytes
    // Rounding up must not push a buffer that fits over the device's limit.
    var sizeClass = max(bytes, min(Self.sizeClass(of: bytes), limit))
    let memory: Memory
    if let reused = reuse(atLeast: sizeClass) {
      (memory, sizeClass) = reused
    } else {
      let failure = OpenCLError.allocation(
        label: label, bytes: bytes, limit: limit, live: context.liveBytes)
      guard bytes <= limit else { throw failure }
      memory = Memory(try create(sizeClass, failure: failure))
    }
    total.add(sizeClass)
    byLabel[label, default: Statistics()].add(sizeClass)
    let buffer = Buffer(
      memory, bytes: bytes, sizeClass: sizeClass, label: label, pool: self)
    if context.poisonsBuffers { try queue.fill(buffer, pattern: UInt32.max, bytes: sizeClass) }
    return buffer
  }

  /// Takes an unused buffer of a class, or of one that is at most half as large again: images of
  /// many sizes would otherwise leave unused buffers of every class behind.
  private func reuse(atLeast sizeClass: Int) -> (memory: Memory, sizeClass: Int)? {
    var candidate = sizeClass
    while candidate <= sizeClass + sizeClass / 2 {
      if let memory = free[candidate]?.popLast() {
        unused -= candidate
        return (memory, candidate)
      }
      candidate = Self.sizeClass(of: candidate + 1)
    }
    return nil
  }

  private func create(_ bytes: Int, failure: OpenCLError) throws -> cl_mem {
    let held = context.liveBytes + context.unusedBytes
    if held + bytes > context.device.memoryInBytes { try context.releaseUnused() }
    var code: cl_int = 0
    for attempt in 0..<2 {
      let flags = cl_mem_flags(CL_MEM_READ_WRITE)
      if let handle = clCreateBuffer(context.handle, flags, bytes, nil, &code) { return handle }
      guard attempt == 0 else { break }
      // What lies unused in the pools may be what the driver lacks.
      try context.releaseUnused()
    }
    throw failure
  }

  func recycle(_ memory: Memory, sizeClass: Int, label: String) {
    free[sizeClass, default: []].append(memory)
    unused += sizeClass
    total.live -= sizeClass
    byLabel[label]?.live -= sizeClass
  }
}
