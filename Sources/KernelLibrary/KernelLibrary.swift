import OpenCL

/// Compiles kernel files on first use and hands out their kernels.
public final class KernelLibrary {
  /// The context that the programs belong to.
  public let context: Context
  private var programs: [String: Program] = [:]

  /// Creates a library without compiling anything.
  ///
  /// - Parameter context: The context to compile for.
  public init(context: Context) {
    self.context = context
  }

  /// A kernel of a file, compiled with named parameters.
  ///
  /// Besides `parameters` every file sees `DEVICE_IS_CPU` (1: one work-item a work-group, loops
  /// inside; 0: work-groups with local memory).
  ///
  /// - Parameters:
  ///   - name: The kernel function.
  ///   - file: The file's stem, for example `RoIAlign` for `Kernels/RoIAlign.cl`.
  ///   - parameters: The file's UPPER_SNAKE parameters that differ from their defaults.
  /// - Returns: The kernel.
  /// - Throws: `OpenCLError` or ``KernelSource/Missing``.
  public func kernel(
    _ name: String, in file: String, parameters: [String: Int] = [:]
  ) throws -> Kernel {
    let options = Self.options(parameters, isCPU: context.family == .cpu)
    let key = "\(file) \(options)"
    if let program = programs[key] { return try program.kernel(name) }
    let program = try Program(
      context: context, name: file, source: try KernelSource.assembled("\(file).cl"),
      options: options)
    programs[key] = program
    return try program.kernel(name)
  }

  private static func options(_ parameters: [String: Int], isCPU: Bool) -> String {
    var all = parameters
    all["DEVICE_IS_CPU"] = isCPU ? 1 : 0
    return all.sorted { $0.key < $1.key }.map { "-D \($0.key)=\($0.value)" }
      .joined(separator: " ")
  }
}
