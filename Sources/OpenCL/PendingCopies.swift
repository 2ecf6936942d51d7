import COpenCL

/// A copy to the device under way, with the host memory that it reads.
final class PendingWrite {
  let memory: UnsafeMutableRawPointer?
  var event: cl_event?
  /// What the copy is about, in errors.
  let about: String
  private let block: StagingBlock
  private let pool: StagingPool

  init(copying bytes: UnsafeRawBufferPointer, about: String, pool: StagingPool) {
    self.about = about
    self.pool = pool
    block = pool.take(bytes: bytes.count)
    block.memory.copyMemory(from: bytes)
    memory = block.memory.baseAddress
  }

  /// Whether the device has the bytes.
  ///
  /// - Throws: ``OpenCLError`` when it failed to take them: what is computed with them would be wrong.
  func isDone() throws -> Bool {
    var status: cl_int = 0
    let size = MemoryLayout<cl_int>.size
    let key = cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS)
    try check(clGetEventInfo(event, key, size, &status, nil), "clGetEventInfo", about)
    if status < CL_COMPLETE { try check(status, "clEnqueueWriteBuffer", about) }
    return status == CL_COMPLETE
  }

  deinit {
    if event != nil { clWaitForEvents(1, &event) }
    if let event { clReleaseEvent(event) }
    pool.give(block)
  }
}

/// A copy from the device under way.
package final class PendingRead {
  let memory: UnsafeMutableRawPointer?
  var event: cl_event?
  private let buffer: Buffer
  private let bytes: Int
  private let block: StagingBlock
  private let pool: StagingPool

  init(_ buffer: Buffer, bytes: Int, pool: StagingPool) {
    self.buffer = buffer
    self.bytes = bytes
    self.pool = pool
    block = pool.take(bytes: bytes)
    memory = block.memory.baseAddress
  }

  private let done = EventArrival()

  /// When the copy was done, by ``Profiler/now()``; nil before, and without ``noteArrival()``.
  package var arrival: UInt64? { done.nanoseconds }

  /// Lets the driver tell when the copy is done, for ``arrival``.
  package func noteArrival() { if let event { done.note(event) } }

  deinit {
    // The driver writes into `memory` until the event is done.
    if event != nil { clWaitForEvents(1, &event) }
    if let event { clReleaseEvent(event) }
    pool.give(block)
  }

  /// Waits for the copy.
  ///
  /// - Returns: The content as floats.
  /// - Throws: ``OpenCLError`` when the copy failed.
  package func floats() throws -> [Float] { try values() }

  /// Waits for the copy.
  ///
  /// - Returns: The content as integers.
  /// - Throws: ``OpenCLError`` when the copy failed.
  package func integers() throws -> [Int32] { try values() }

  private func values<Element>() throws -> [Element] {
    if event != nil { try check(clWaitForEvents(1, &event), "clWaitForEvents", buffer.label) }
    let content = UnsafeRawBufferPointer(start: memory, count: bytes)
    return Array(content.bindMemory(to: Element.self))
  }
}
