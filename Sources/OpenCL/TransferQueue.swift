import COpenCL

/// A point of a queue: all that was enqueued before it.
package final class QueueMark: @unchecked Sendable {
  // Sendable: the event is not changed after `init`, and drivers let all threads wait for events.
  let event: cl_event
  private let done = EventArrival()

  /// Takes over an event.
  fileprivate init(_ event: cl_event) { self.event = event }

  /// When it was reached, in seconds of `MonotonicClock`; nil before, and without ``noteArrival()``.
  package var arrival: Double? { done.nanoseconds.map { Double($0) / 1e9 } }

  /// Lets the driver tell when it is reached, for ``arrival``.
  package func noteArrival() { done.note(event) }

  deinit { clReleaseEvent(event) }
}

extension CommandQueue {
  /// Marks what was enqueued so far and hands it to the device.
  ///
  /// - Throws: ``OpenCLError``.
  package func mark() throws -> QueueMark {
    var event: cl_event?
    try check(clEnqueueMarkerWithWaitList(handle, 0, nil, &event), "clEnqueueMarker", name)
    try flush()
    guard let event else {
      throw OpenCLError.call("clEnqueueMarker", code: CL_INVALID_EVENT, about: name)
    }
    return QueueMark(event)
  }

  /// Lets everything enqueued from now on wait for a mark; the host does not wait.
  ///
  /// - Parameter mark: A mark of another queue of the context.
  /// - Throws: ``OpenCLError``.
  package func wait(for mark: QueueMark) throws {
    var event: cl_event? = mark.event
    try check(clEnqueueBarrierWithWaitList(handle, 1, &event, nil), "clEnqueueBarrier", name)
  }
}

/// Moves parts of one buffer between device and host beside the queue that computes.
///
/// The one class that another thread than the context's may use: one thread at a time, after
/// ``CommandQueue/mark()`` has said when the buffer's content is there.
package final class TransferQueue: @unchecked Sendable {
  // Sendable: what the thread calls touches its own queue and memory only, and drivers let all threads
  // enqueue.
  private let queue: cl_command_queue
  private let buffer: cl_mem
  private let block: StagingBlock
  private let label: String

  /// Host memory for the whole buffer, pinned where the driver knows the notion.
  package var memory: UnsafeMutableRawBufferPointer { block.memory }

  /// Prepares to move parts of a buffer.
  ///
  /// - Parameters:
  ///   - buffer: The buffer, which stays alive meanwhile.
  ///   - context: Its context.
  /// - Throws: ``OpenCLError`` when the driver gives no queue.
  package init(for buffer: Buffer, on context: Context) throws {
    var code: cl_int = 0
    guard let queue = clCreateCommandQueue(context.handle, context.device.id, 0, &code) else {
      throw OpenCLError.call("clCreateCommandQueue", code: code, about: "transfers")
    }
    self.queue = queue
    self.buffer = buffer.handle
    label = buffer.label
    clRetainMemObject(buffer.handle)
    block = StagingBlock(bytes: buffer.bytes, context: context, queue: queue)
  }

  deinit {
    clFinish(queue)
    clReleaseMemObject(buffer)
    clReleaseCommandQueue(queue)
  }

  /// Waits, on the calling thread, until a mark is reached.
  ///
  /// - Parameter mark: A mark of another queue of the context.
  /// - Throws: ``OpenCLError``.
  package func wait(for mark: QueueMark) throws {
    var event: cl_event? = mark.event
    try check(clWaitForEvents(1, &event), "clWaitForEvents", label)
  }

  /// Copies a part to ``memory``.
  ///
  /// - Parameter range: The part in bytes, which the device has computed.
  /// - Throws: ``OpenCLError``.
  package func read(_ range: Range<Int>) throws {
    guard !range.isEmpty, let base = memory.baseAddress else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= memory.count, "part of \(label)")
    try check(
      clEnqueueReadBuffer(
        queue, buffer, cl_bool(CL_TRUE), range.lowerBound, range.count, base + range.lowerBound, 0,
        nil, nil), "clEnqueueReadBuffer", "read of \(range.count) bytes from \(label)")
  }

  /// Starts to copy a part of ``memory`` back to the buffer.
  ///
  /// - Parameter range: The part in bytes, left alone until the mark is reached.
  /// - Returns: The mark after which the device has it.
  /// - Throws: ``OpenCLError``.
  package func write(_ range: Range<Int>) throws -> QueueMark? {
    guard !range.isEmpty, let base = memory.baseAddress else { return nil }
    precondition(range.lowerBound >= 0 && range.upperBound <= memory.count, "part of \(label)")
    var event: cl_event?
    try check(
      clEnqueueWriteBuffer(
        queue, buffer, cl_bool(CL_FALSE), range.lowerBound, range.count, base + range.lowerBound, 0,
        nil, &event), "clEnqueueWriteBuffer", "write of \(range.count) bytes to \(label)")
    try check(clFlush(queue), "clFlush", label)
    return event.map(QueueMark.init)
  }
}
