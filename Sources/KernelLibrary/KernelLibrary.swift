import OpenCL

/// Compiles kernel files on first use and hands out their kernels.
package final class KernelLibrary {
  /// When compiled programs are written to the cache.
  package enum Storing: Sendable {
    /// Each one as soon as it is compiled.
    case atOnce
    /// When ``storePrograms()`` is called.
    ///
    /// Some drivers compile a program a second time for its binary, which doubles the time that a
    /// first step waits for its kernels.
    case later
  }

  /// The context that the programs belong to.
  package let context: Context
  /// How many programs were compiled from their sources so far.
  package var compiledCount: Int { programs.values.count { $0.origin == .source } }
  /// How many programs were in the cache before this library was made.
  package var cachedCount: Int { programs.count - compiledCount - aheadCount }
  /// How many programs the context's helpers compiled before they were needed.
  package var aheadCount: Int {
    programs.count { ahead.contains($0.key) && $0.value.origin == .cache }
  }
  /// How many of the programs compiled here the context's helpers had written to the cache when
  /// ``storePrograms()`` was called.
  package private(set) var helpedCount = 0
  private var programs: [String: Program] = [:]
  /// The kernels that were asked for: most launches find theirs here, without the text of options.
  private var kernels: [Request: Kernel] = [:]

  private struct Request: Hashable {
    let name: String
    let file: String
    let parameters: [String: Int]
  }

  /// The keys of the programs in order of use.
  private var order: [String] = []
  private var ahead: Set<String> = []
  private let list: ProgramList?
  private var storing: Storing

  /// Creates a library without compiling anything here.
  ///
  /// - Parameters:
  ///   - context: The context to compile for.
  ///   - storing: When compiled programs are written to the context's cache.
  ///   - list: What is likely to be needed: the context's helpers compile what the cache lacks of
  ///     it, which is waited for. Brought up to date by ``storePrograms()``.
  package init(context: Context, storing: Storing = .atOnce, list: ProgramList? = nil) {
    self.context = context
    self.storing = storing
    self.list = list
    guard let list, let helpers = context.helpers else { return }
    let known = list.load()
    let wanted = known.isEmpty ? list.likely.map(key) : known
    let missing = wanted.filter { isForThisMachine($0) && !isInCache($0) }
    for key in missing { helpers.add(key) }
    helpers.finish()
    ahead = Set(missing.filter(isInCache))
  }

  /// A kernel of a file, compiled with named parameters.
  ///
  /// Every file sees `DEVICE_IS_CPU` (1: one work-item a work-group, loops inside; 0: work-groups
  /// with local memory), the family's unless `parameters` name it.
  ///
  /// - Parameters:
  ///   - name: The kernel function.
  ///   - file: The file's stem, for example `RoIAlign` for `Kernels/RoIAlign.cl`.
  ///   - parameters: The file's UPPER_SNAKE parameters that differ from their defaults.
  /// - Throws: `OpenCLError` or ``KernelSource/Missing``.
  package func kernel(
    _ name: String, in file: String, parameters: [String: Int] = [:]
  ) throws -> Kernel {
    let request = Request(name: name, file: file, parameters: parameters)
    if let kernel = kernels[request] { return kernel }
    let kernel = try program(file, options: options(parameters)).kernel(name)
    kernels[request] = kernel
    return kernel
  }

  private func program(_ file: String, options: String) throws -> Program {
    let key = "\(file) \(options)"
    if let program = programs[key] { return program }
    let program = try Program(
      context: context, name: file, source: try KernelSource.assembled("\(file).cl"),
      options: options, stores: storing == .atOnce)
    programs[key] = program
    order.append(key)
    if storing == .later, program.origin == .source, context.device.compilesForBinaries {
      context.helpers?.add(key)
    }
    return program
  }

  /// Compiles a program and writes it to the context's cache: what a helper does.
  ///
  /// - Parameters:
  ///   - key: File and options with a space between, as `ProgramHelpers` hands them on.
  ///   - context: The context to compile for.
  /// - Throws: `OpenCLError` or ``KernelSource/Missing``.
  package static func store(_ key: String, context: Context) throws {
    let (file, options) = parts(of: key)
    _ = try Program(
      context: context, name: file, source: try KernelSource.assembled("\(file).cl"),
      options: options)
  }

  private func key(_ entry: ProgramList.Entry) -> String {
    "\(entry.file) \(options(entry.parameters))"
  }

  private static func parts(of key: String) -> (file: String, options: String) {
    let file = String(key.prefix { $0 != " " })
    return (file, String(key.dropFirst(file.count + 1)))
  }

  /// Whether the processor has the instructions that a program names: a list may come from another
  /// machine that keeps its cache in the same folder.
  private func isForThisMachine(_ key: String) -> Bool {
    !key.contains("DOT_INSTRUCTION=1")
      || context.device.runsOnHost && HostProcessor.multipliesBFloat16
  }

  private func isInCache(_ key: String) -> Bool {
    let (file, options) = Self.parts(of: key)
    guard let source = try? KernelSource.assembled("\(file).cl") else { return false }
    return Program.isInCache(context, source: source, options: options)
  }

  /// How many programs ``storePrograms()`` would write.
  package var waitingCount: Int { storing == .later ? compiledCount : 0 }

  /// Writes the programs compiled so far to the cache; later ones are written at once.
  ///
  /// Called on the thread of the context while its queues are empty: a driver may not survive
  /// compiling for a binary beside the kernels of another thread (PoCL 3.1 does not). Only the first
  /// call counts.
  package func storePrograms() {
    guard storing == .later else { return }
    storing = .atOnce
    list?.store(order)
    if let helpers = context.helpers {
      helpers.finish()
      helpedCount = programs.count { $0.value.origin == .source && isInCache($0.key) }
    }
    // What a helper wrote is written again, with the variants that ran here; the driver need not
    // compile for that.
    for (_, program) in programs.sorted(by: { $0.key < $1.key }) { program.store() }
  }

  /// Work-items of a row's work-group on a device with work-groups, `LANES` of `Common/Launch.clh`:
  /// as many as there may be.
  package var lanes: Int { [Self.mostLanes, 64].first { $0 <= context.largestWorkGroup } ?? 32 }

  /// The number that the kernels take when they are not told.
  package static let mostLanes = 128

  private func options(_ parameters: [String: Int]) -> String {
    let isCPU = context.family == .cpu
    var all = ["DEVICE_IS_CPU": isCPU ? 1 : 0]
    if isCPU, context.device.compilesForItself { all["HOST_BUILTINS"] = 1 }
    if lanes != Self.mostLanes { all["LANES"] = lanes }
    let parameters = all.merging(parameters) { $1 }
    var words = parameters.sorted { $0.key < $1.key }.map { "-D \($0.key)=\($0.value)" }
    // NVIDIA's compiler takes more registers where it is not told how many work-groups share them.
    if let most = parameters[Self.mostRegisters], context.device.computeCapability != nil {
      words.append("-cl-nv-maxrregcount=\(most)")
    }
    return words.joined(separator: " ")
  }

  /// The parameter that says how many registers a work-item may take, for NVIDIA's compiler alone.
  package static let mostRegisters = "MOST_REGISTERS"
}
