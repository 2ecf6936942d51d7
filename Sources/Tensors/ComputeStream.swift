import Formats
import KernelLibrary
import OpenCL

/// Where tensors live and operators run: one in-order queue with the compiled kernels.
///
/// Student and teacher are two streams of one context. Tensors of different streams do not meet in
/// an operator; ``Tensor/moved(to:)`` carries one over. Confined to one thread.
package final class ComputeStream {
  /// The queue that operators enqueue on.
  package let queue: CommandQueue
  /// The compiled kernels.
  package let library: KernelLibrary
  /// Whether operators record how to differentiate; see ``withoutGradients(_:)``.
  package private(set) var recordsGradients = true
  /// Whether a row of a product is the same whatever rows are beside it; see ``withRowsAlike(_:)``.
  package private(set) var rowsAreAlike = false
  /// Gets told which leaves have their whole gradient; nil tells nobody.
  package weak var gradientObserver: (any GradientObserver)?
  /// How activations are stored: float32, or 16 bits for half the traffic and memory.
  ///
  /// Parameters, statistics and losses are float32 in every case.
  package let activationType: ElementType
  /// How it multiplies matrices.
  package private(set) lazy var matrix = MatrixUnit(self, precision: matrixPrecision)
  private let matrixPrecision: MatrixPrecision?
  /// What adds up in the last work-group of a launch; nil in the outer optional until it was tried.
  private var triedLastGroup: LastGroup??
  /// Orders the recorded computation; later is larger.
  var sequence: UInt64 = 0

  /// Creates a stream.
  ///
  /// - Throws: `OpenCLError` when the driver refuses, ``MatrixPrecision/Unknown``.
  package init(
    context: Context, name: String = "student", library: KernelLibrary? = nil,
    profiler: Profiler? = nil, matrixPrecision: MatrixPrecision? = nil,
    activationType: ElementType = .float32
  ) throws {
    precondition(activationType.isFloating, "activations of \(activationType)")
    self.activationType = activationType
    self.matrixPrecision =
      try matrixPrecision ?? (context.family == .nvidia ? MatrixPrecision.wanted() : nil)
    queue = try CommandQueue(context: context, name: name, profiler: profiler)
    self.library = library ?? KernelLibrary(context: context)
  }

  /// Which kernels the device gets.
  package var family: DeviceFamily { queue.context.family }

  /// Whether operators leave out faster algorithms with a larger rounding error.
  package var isExact: Bool { queue.context.isExact }

  /// The device.
  package var device: Device { queue.context.device }

  /// Local memory of a work-group in bytes.
  package var localMemoryInBytes: Int { queue.context.localMemoryInBytes }

  /// Runs `body` without recording how to differentiate.
  ///
  /// - Parameter body: The work.
  package func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = recordsGradients
    recordsGradients = false
    defer { recordsGradients = before }
    return try body()
  }

  /// Runs `body` with products that add up each row in the same order however many rows there are.
  ///
  /// Otherwise the order is the one that suits the number of rows. Devices with work-groups keep to it
  /// but for the tiles of tensor cores, which suit the number in every case.
  ///
  /// - Parameter body: The work.
  package func withRowsAlike<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = rowsAreAlike
    rowsAreAlike = true
    defer { rowsAreAlike = before }
    return try body()
  }

  /// What lets the last work-group of a launch add up what the others wrote, tried out on first use;
  /// nil where another launch adds up.
  var lastGroup: LastGroup? {
    if let known = triedLastGroup { return known }
    triedLastGroup = .some(nil)
    let found = LastGroup.usable(on: self)
    triedLastGroup = .some(found)
    return found
  }

  /// Runs `body` with sums added up by a last group, or by another launch, whatever the device is known
  /// to do.
  ///
  /// - Parameters:
  ///   - lastGroup: What adds up; nil for another launch.
  ///   - body: The work.
  func adding<Result>(by lastGroup: LastGroup?, _ body: () throws -> Result) rethrows -> Result {
    let before = triedLastGroup
    triedLastGroup = .some(lastGroup)
    defer { triedLastGroup = before }
    return try body()
  }

  /// Names a phase of the step for the profiler, if there is one.
  ///
  /// - Parameters:
  ///   - name: The phase's name.
  ///   - body: The work.
  package func phase<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    guard let profiler = queue.profiler else { return try body() }
    return try profiler.phase(name, body)
  }

  /// A kernel compiled for how its activations are stored and, if it walks rows of channels
  /// (`Common/Channels.clh`), for rows of whole vectors.
  ///
  /// - Parameters:
  ///   - name: The kernel function.
  ///   - file: The file's stem.
  ///   - type: How activations are stored.
  ///   - channels: What the lengths of all rows are multiples of; nil where rows do not matter.
  ///   - parameters: Further parameters.
  package func kernel(
    _ name: String, in file: String, storing type: ElementType, channels: Int? = nil,
    parameters: [String: Int] = [:]
  ) throws -> Kernel {
    var parameters = parameters
    if type.storage != 0 { parameters["STORAGE"] = type.storage }
    if let channels, vectorWidth(channels) > 1 { parameters["VECTOR"] = vectorWidth(channels) }
    return try library.kernel(name, in: file, parameters: parameters)
  }

  /// `VECTOR` of `Common/Channels.clh` for rows of so many channels.
  package func vectorWidth(_ channels: Int) -> Int { family != .cpu && channels % 4 == 0 ? 4 : 1 }

  // MARK: Launch shapes shared by the operators

  /// Launches a kernel written with `FOR_EACH_ELEMENT` of `Common/Launch.clh`.
  ///
  /// On a CPU each work-item owns a contiguous block; on a GPU the items stride over all elements.
  ///
  /// - Parameters:
  ///   - kernel: The kernel; its last parameter is `int count`.
  ///   - count: Elements to visit.
  ///   - arguments: All arguments but the last.
  ///   - work: Arithmetic and traffic for the profiler.
  package func launchElements(
    _ kernel: Kernel, count: Int, _ arguments: [KernelArgument], work: Work = Work()
  ) throws {
    guard count > 0 else { return }
    guard count <= Self.mostElements else {
      throw OpenCLError.elements(kernel: kernel.name, count: count, limit: Self.mostElements)
    }
    let arguments = arguments + [.int(count)]
    if family == .cpu {
      let items = count.dividedUp(by: Self.elementsPerItem)
      try queue.launch(kernel, global: [items], local: [1], arguments, work: work)
    } else {
      let items = min(256, kernel.largestWorkGroup, queue.context.largestWorkGroup)
      let groups = min(count.dividedUp(by: items), 32 * max(1, device.computeUnits))
      try queue.launch(kernel, global: [groups * items], local: [items], arguments, work: work)
    }
  }

  /// Launches a kernel in which one work-group owns one row (`LANE`, `LANES` of
  /// `Common/Launch.clh`): one work-item on a CPU, ``lanes`` elsewhere.
  ///
  /// - Parameters:
  ///   - kernel: The kernel; the row is `get_group_id(0)`.
  ///   - rows: Number of rows.
  ///   - arguments: All arguments.
  ///   - work: Arithmetic and traffic for the profiler.
  package func launchRows(
    _ kernel: Kernel, rows: Int, _ arguments: [KernelArgument], work: Work = Work()
  ) throws {
    let lanes = family == .cpu ? 1 : lanes
    try queue.launch(kernel, global: [rows * lanes], local: [lanes], arguments, work: work)
  }

  /// Launches a kernel that adds up the rows of slabs of columns (`FOR_EACH_SLAB_COLUMN` of
  /// `Common/Channels.clh`).
  ///
  /// - Parameters:
  ///   - kernel: The kernel.
  ///   - blocks: Its blocks of rows and its slabs.
  ///   - arguments: All arguments.
  ///   - work: Arithmetic and traffic for the profiler.
  func launchSums(
    _ kernel: Kernel, _ blocks: SumBlocks, _ arguments: [KernelArgument], work: Work
  ) throws {
    try queue.launch(
      kernel, global: [blocks.count * blocks.lanes, blocks.slabs], local: [blocks.lanes, 1],
      arguments, work: work)
  }

  /// Elements of one work-item on a CPU, `ELEMENTS_PER_ITEM` of `Common/Launch.clh`.
  static let elementsPerItem = 16384
  /// Most elements of a launch: kernels count in int, whole vectors at a time.
  static let mostElements = Int(Int32.max) - 63
  /// Work-items of a row's work-group on a device with work-groups.
  package var lanes: Int { library.lanes }
}
