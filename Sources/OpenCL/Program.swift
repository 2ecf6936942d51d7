import COpenCL

/// A compiled OpenCL program.
public final class Program {
  /// Where a program came from.
  public enum Origin: Sendable {
    /// It was compiled from its source.
    case source
    /// It was loaded from the cache.
    case cache
  }

  /// The program's name in messages.
  public let name: String
  /// Where it came from.
  public var origin: Origin { built.origin }
  var handle: cl_program { built.raw }
  let built: BuiltProgram
  private var kernels: [String: Kernel] = [:]

  /// Compiles a program, or loads it from the context's cache.
  ///
  /// - Parameters:
  ///   - context: The context.
  ///   - name: The program's name in messages.
  ///   - source: OpenCL C.
  ///   - options: Compiler options, for example `-D TILE=8`.
  ///   - stores: Whether to write it to the cache at once. Some drivers compile everything again
  ///     for a binary; who is in a hurry calls ``store()`` later.
  /// - Throws: ``OpenCLError/build(program:options:log:sourcePath:)`` with the compiler's log.
  public convenience init(
    context: Context, name: String, source: String, options: String, stores: Bool = true
  ) throws {
    let built = try BuiltProgram(
      for: context.programTarget, name: name, source: source, options: options)
    if stores { built.store() }
    self.init(name: name, built: built)
  }

  init(name: String, built: BuiltProgram) {
    self.name = name
    self.built = built
  }

  /// Writes the program to the context's cache unless it came from there.
  public func store() { built.store() }

  /// A kernel of the program; the same object each time.
  ///
  /// - Parameter name: The function's name.
  /// - Returns: The kernel.
  /// - Throws: ``OpenCLError`` when the program has no such function.
  public func kernel(_ name: String) throws -> Kernel {
    if let kernel = kernels[name] { return kernel }
    let kernel = try Kernel(program: self, name: name)
    kernels[name] = kernel
    return kernel
  }
}
