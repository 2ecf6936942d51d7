import COpenCL
import Formats

/// An in-order queue of one device, with the pool that its buffers come from.
package final class CommandQueue {
  /// The queue's name in profiles: `student`, `teacher`.
  package let name: String
  /// The context it belongs to.
  package let context: Context
  /// Where its buffers come from.
  package let pool: BufferPool
  /// Records times when present.
  package let profiler: Profiler?
  /// Blocking and non-blocking reads so far: round trips to the host.
  package private(set) var readCount = 0
  let handle: cl_command_queue
  private let staging: StagingPool
  private var writes: [PendingWrite] = []

  /// Creates a queue.
  ///
  /// - Parameters:
  ///   - context: The context.
  ///   - name: The queue's name in profiles.
  ///   - profiler: Records the times of what runs, or nil.
  package init(context: Context, name: String, profiler: Profiler? = nil) throws {
    self.context = context
    self.name = name
    self.profiler = profiler
    pool = BufferPool(context: context)
    var code: cl_int = 0
    let properties =
      profiler == nil ? 0 : cl_command_queue_properties(CL_QUEUE_PROFILING_ENABLE)
    guard
      let handle = clCreateCommandQueue(context.handle, context.device.id, properties, &code)
    else {
      throw OpenCLError.call("clCreateCommandQueue", code: code, about: name)
    }
    self.handle = handle
    staging = StagingPool(context: context)
    context.register(self)
    if let profiler { try calibrate(profiler) }
  }

  deinit {
    // Kernels may still read pooled buffers; the pool goes after this.
    clFinish(handle)
    clReleaseCommandQueue(handle)
  }

  private func calibrate(_ profiler: Profiler) throws {
    var event: cl_event?
    try check(clEnqueueMarkerWithWaitList(handle, 0, nil, &event), "clEnqueueMarker", name)
    try finish()
    guard let event else { return }
    var end: cl_ulong = 0
    _ = clGetEventProfilingInfo(
      event, cl_profiling_info(CL_PROFILING_COMMAND_END), MemoryLayout<cl_ulong>.size, &end, nil)
    profiler.clockOffset = Int64(bitPattern: MonotonicClock.nanoseconds) - Int64(bitPattern: end)
    clReleaseEvent(event)
  }

  /// Reserves device memory.
  ///
  /// - Parameters:
  ///   - bytes: Size in bytes; 0 gives a small buffer that nothing may read.
  ///   - label: What it holds, for memory reports and errors.
  /// - Returns: The buffer; its content is undefined.
  /// - Throws: ``OpenCLError/allocation(label:bytes:limit:live:)``.
  package func allocate(bytes: Int, label: String) throws -> Buffer {
    try pool.allocate(bytes: max(bytes, 4), label: label, queue: self)
  }

  /// Enqueues a kernel.
  ///
  /// - Parameters:
  ///   - kernel: The kernel.
  ///   - global: Work-items in one to three dimensions; nothing runs when one is 0.
  ///   - local: Work-group size, as many dimensions as `global`, each dividing it.
  ///   - arguments: The kernel's arguments in order.
  ///   - work: Arithmetic and traffic for the profiler.
  ///   - label: What the profiler calls it; nil takes the kernel's name.
  /// - Throws: ``OpenCLError`` naming the kernel and its sizes.
  package func launch(
    _ kernel: Kernel, global: [Int], local: [Int], _ arguments: [KernelArgument],
    work: Work = Work(), label: String? = nil
  ) throws {
    guard !global.contains(0) else { return }
    try kernel.checkLimits(arguments, local: local, on: context)
    try kernel.set(arguments)
    try enqueue(label ?? kernel.name, call: "clEnqueueNDRangeKernel", work) { event in
      clEnqueueNDRangeKernel(
        handle, kernel.handle, cl_uint(global.count), nil, global, local, 0, nil, event)
    } about: {
      "\(kernel.name), global \(global), local \(local)"
    }
  }

  /// Runs a call once more when it lacked memory and unused buffers could be given back: some drivers
  /// reserve memory only when a kernel first uses it.
  private func retrying(_ body: () -> cl_int) throws -> cl_int {
    let code = body()
    let lacks = [
      CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY,
    ]
    guard lacks.contains(code), context.unusedBytes > 0 else { return code }
    try context.releaseUnused()
    return body()
  }

  /// Runs one enqueueing call, handing its event to the profiler when there is one.
  private func enqueue(
    _ name: String, call: String, _ work: Work,
    _ body: (UnsafeMutablePointer<cl_event?>?) -> cl_int,
    about: () -> String
  ) throws {
    guard let profiler else {
      try check(try retrying { body(nil) }, call, about())
      return
    }
    var event: cl_event?
    try check(try retrying { body(&event) }, call, about())
    if let event { profiler.add(event, name: name, queue: self.name, work: work) }
  }

  /// Fills a buffer with a repeated 32-bit pattern.
  ///
  /// - Parameters:
  ///   - buffer: The buffer.
  ///   - pattern: The pattern.
  ///   - bytes: How many bytes, a multiple of 4; nil fills all.
  package func fill(_ buffer: Buffer, pattern: UInt32, bytes: Int? = nil) throws {
    var pattern = pattern
    let count = (bytes ?? buffer.bytes) / 4 * 4
    try enqueue("fill", call: "clEnqueueFillBuffer", Work(bytes: Double(count))) { event in
      clEnqueueFillBuffer(handle, buffer.handle, &pattern, 4, 0, count, 0, nil, event)
    } about: {
      "fill of \(buffer.label)"
    }
  }

  /// Copies bytes between buffers.
  ///
  /// - Parameters:
  ///   - source: Where to read.
  ///   - sourceOffset: First byte read.
  ///   - target: Where to write.
  ///   - targetOffset: First byte written.
  ///   - bytes: How many bytes.
  package func copy(
    from source: Buffer, at sourceOffset: Int = 0, to target: Buffer, at targetOffset: Int = 0,
    bytes: Int
  ) throws {
    guard bytes > 0 else { return }
    try enqueue("copy", call: "clEnqueueCopyBuffer", Work(bytes: 2 * Double(bytes))) { event in
      clEnqueueCopyBuffer(
        handle, source.handle, target.handle, sourceOffset, targetOffset, bytes, 0, nil, event)
    } about: {
      "copy of \(bytes) bytes from \(source.label) to \(target.label)"
    }
  }

  /// Copies host memory to a buffer; the memory may be reused when the call returns.
  ///
  /// The host does not wait for the queue: the bytes are copied aside until the device has them.
  ///
  /// - Parameters:
  ///   - bytes: The host's bytes.
  ///   - buffer: The buffer, at least as large.
  package func write(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer) throws {
    guard bytes.count > 0 else { return }
    precondition(bytes.count <= buffer.bytes, "write of more bytes than \(buffer.label) holds")
    try writes.removeAll { try $0.isDone() }
    let write = PendingWrite(
      copying: bytes, about: "write of \(bytes.count) bytes to \(buffer.label)", pool: staging)
    var event: cl_event?
    try check(
      clEnqueueWriteBuffer(
        handle, buffer.handle, cl_bool(CL_FALSE), 0, bytes.count, write.memory, 0,
        nil, &event), "clEnqueueWriteBuffer", write.about)
    write.event = event
    writes.append(write)
    if let profiler, let event {
      clRetainEvent(event)
      profiler.add(event, name: "write", queue: name, work: Work(bytes: Double(bytes.count)))
    }
  }

  /// Copies host memory to a buffer and waits; for data that is too large to be copied aside.
  ///
  /// - Parameters:
  ///   - bytes: The host's bytes.
  ///   - buffer: The buffer, at least as large.
  package func writeNow(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer) throws {
    guard bytes.count > 0 else { return }
    precondition(bytes.count <= buffer.bytes, "write of more bytes than \(buffer.label) holds")
    try check(
      clEnqueueWriteBuffer(
        handle, buffer.handle, cl_bool(CL_TRUE), 0, bytes.count, bytes.baseAddress, 0, nil, nil),
      "clEnqueueWriteBuffer", "write of \(bytes.count) bytes to \(buffer.label)")
    try writes.removeAll { try $0.isDone() }
  }

  /// Waits for the queue and copies a buffer to host memory.
  ///
  /// - Parameters:
  ///   - buffer: The buffer.
  ///   - bytes: Where the host wants it; at most the buffer's size.
  package func read(_ buffer: Buffer, into bytes: UnsafeMutableRawBufferPointer) throws {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    precondition(bytes.count <= buffer.bytes, "read of more bytes than \(buffer.label) holds")
    readCount += 1
    try enqueue("read", call: "clEnqueueReadBuffer", Work(bytes: Double(bytes.count))) { event in
      clEnqueueReadBuffer(
        handle, buffer.handle, cl_bool(CL_TRUE), 0, bytes.count, base, 0, nil, event)
    } about: {
      "read of \(bytes.count) bytes from \(buffer.label)"
    }
    try writes.removeAll { try $0.isDone() }
  }

  /// Starts to copy a buffer to host memory without waiting for it.
  ///
  /// - Parameters:
  ///   - buffer: The buffer; kept alive until the read is done.
  ///   - bytes: How many bytes of it.
  /// - Returns: The read under way.
  package func readLater(_ buffer: Buffer, bytes: Int) throws -> PendingRead {
    precondition(bytes <= buffer.bytes, "read of more bytes than \(buffer.label) holds")
    let read = PendingRead(buffer, bytes: bytes, pool: staging)
    guard bytes > 0 else { return read }
    readCount += 1
    var event: cl_event?
    try check(
      clEnqueueReadBuffer(
        handle, buffer.handle, cl_bool(CL_FALSE), 0, bytes, read.memory, 0, nil, &event),
      "clEnqueueReadBuffer", "read of \(bytes) bytes from \(buffer.label)")
    read.event = event
    if let profiler, let event {
      clRetainEvent(event)
      profiler.add(event, name: "read", queue: name, work: Work(bytes: Double(bytes)))
    }
    try check(clFlush(handle), "clFlush", name)
    return read
  }

  /// Hands everything enqueued so far to the device without waiting.
  package func flush() throws { try check(clFlush(handle), "clFlush", name) }

  /// Waits until everything enqueued so far is done.
  package func finish() throws {
    try check(clFinish(handle), "clFinish", name)
    try writes.removeAll { try $0.isDone() }
  }

  /// Lets everything enqueued on this queue from now on wait for what another queue holds now.
  ///
  /// The host does not wait.
  ///
  /// - Parameter other: The other queue, of the same context.
  package func wait(for other: CommandQueue) throws {
    var event: cl_event?
    try check(
      clEnqueueMarkerWithWaitList(other.handle, 0, nil, &event), "clEnqueueMarker", other.name)
    try other.flush()
    defer { if let event { clReleaseEvent(event) } }
    try check(clEnqueueBarrierWithWaitList(handle, 1, &event, nil), "clEnqueueBarrier", name)
  }
}
