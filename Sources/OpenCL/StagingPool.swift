import COpenCL

/// Host memory that a driver can copy from and to without waiting: pinned where it knows the notion.
///
/// With ordinary memory some drivers let a non-blocking read return only when the data is there,
/// which would stop the host until the device has worked off all that it was given.
final class StagingBlock {
  let memory: UnsafeMutableRawBufferPointer
  private let mapped: (handle: cl_mem, queue: cl_command_queue)?

  /// Maps memory of the driver, or takes ordinary memory where it gives none.
  ///
  /// The queue is an idle one, as mapping waits for all that its queue holds.
  init(bytes: Int, context: Context, queue: cl_command_queue?) {
    var code: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE) | cl_mem_flags(CL_MEM_ALLOC_HOST_PTR)
    if let queue, let handle = clCreateBuffer(context.handle, flags, bytes, nil, &code) {
      let access = cl_map_flags(CL_MAP_READ) | cl_map_flags(CL_MAP_WRITE)
      if let base = clEnqueueMapBuffer(
        queue, handle, cl_bool(CL_TRUE), access, 0, bytes, 0, nil, nil, &code)
      {
        memory = UnsafeMutableRawBufferPointer(start: base, count: bytes)
        mapped = (handle, queue)
        clRetainCommandQueue(queue)
        return
      }
      clReleaseMemObject(handle)
    }
    memory = .allocate(byteCount: bytes, alignment: 64)
    mapped = nil
  }

  deinit {
    guard let mapped else { return memory.deallocate() }
    clEnqueueUnmapMemObject(mapped.queue, mapped.handle, memory.baseAddress, 0, nil, nil)
    clReleaseMemObject(mapped.handle)
    clReleaseCommandQueue(mapped.queue)
  }
}

/// Keeps staging blocks for the next copy; of one thread, like its queue.
final class StagingPool {
  private let context: Context
  private let queue: cl_command_queue?
  private var free: [Int: [StagingBlock]] = [:]
  private var cached = 0
  /// Most bytes that are kept: enough for the images of a step, little beside the device's memory.
  private static let mostCached = 64 << 20

  init(context: Context) {
    self.context = context
    var code: cl_int = 0
    queue = clCreateCommandQueue(context.handle, context.device.id, 0, &code)
  }

  deinit {
    if let queue { clReleaseCommandQueue(queue) }
  }

  /// Takes a block of at least a size.
  func take(bytes: Int) -> StagingBlock {
    let size = max(4096, BufferPool.sizeClass(of: bytes))
    if let block = free[size]?.popLast() {
      cached -= size
      return block
    }
    return StagingBlock(bytes: size, context: context, queue: queue)
  }

  /// Takes a block back that no copy uses any more.
  func give(_ block: StagingBlock) {
    let size = block.memory.count
    guard cached + size <= Self.mostCached else { return }
    cached += size
    free[size, default: []].append(block)
  }
}
