import OpenCL

/// Measuring a device's roof by kernels that do nothing else (`Kernels/Roof.cl`).
extension Roof {
  /// Measures a device: the best of several runs of each kernel.
  ///
  /// - Parameters:
  ///   - context: The device.
  ///   - runs: Runs of each kernel.
  package static func measure(on context: Context, runs: Int = 5) throws -> Roof {
    let profiler = Profiler()
    let stream = try ComputeStream(context: context, name: "roof", profiler: profiler)
    let source = try Tensor(repeating: 1, shape: [copiedElements], on: stream, label: "roof")
    for _ in 0...max(1, runs) {
      _ = try multiplyAdds(rounds: rounds, on: stream)
      _ = try copy(source)
    }
    try profiler.resolve()
    func best(_ name: String, _ amount: (Work) -> Double) -> Double {
      profiler.records.filter { $0.name == name && $0.end > $0.start }
        .reduce(0) { max($0, amount($1.work) / (1e-9 * Double($1.end - $1.start))) }
    }
    return Roof(
      operationsPerSecond: best("roof_multiply_add_forward", \.operations),
      bytesPerSecond: best("roof_copy_forward", \.bytes))
  }

  /// Multiply-adds in registers on the whole device.
  ///
  /// - Parameters:
  ///   - rounds: Multiply-adds of a chain.
  ///   - factor: Factor of each.
  ///   - addend: Addend of each.
  ///   - stream: Where to run.
  /// - Returns: The sum of the chains, once for each lane of each work-item.
  package static func multiplyAdds(
    rounds: Int, factor: Float = 0.5, addend: Float = 1, on stream: ComputeStream
  ) throws -> Tensor {
    let isCPU = stream.family == .cpu
    let (vector, local) = isCPU ? (16, 1) : (1, 2 * stream.lanes)
    let result = try Tensor(uninitialized: [lanes], on: stream, label: "multiply-adds")
    try stream.queue.launch(
      try stream.library.kernel(
        "roof_multiply_add_forward", in: "Roof", parameters: ["CHAINS": chains]),
      global: [lanes / vector], local: [local],
      [.buffer(result.buffer), .float(factor), .float(addend), .int(rounds)],
      work: Work(operations: operations(rounds: rounds), bytes: 4 * Double(lanes)))
    return result
  }

  /// A copy by a kernel, not by the driver.
  ///
  /// - Parameter source: The values.
  /// - Returns: The same values in other memory.
  package static func copy(_ source: Tensor) throws -> Tensor {
    let result = try Tensor(uninitialized: source.shape, on: source.stream, label: "roof")
    try source.stream.launchElements(
      try source.stream.library.kernel("roof_copy_forward", in: "Roof"), count: source.count,
      [.buffer(source.buffer), .buffer(result.buffer)],
      work: Work(bytes: 8 * Double(source.count)))
    return result
  }

  /// Operations of one call of ``multiplyAdds(rounds:factor:addend:on:)``.
  ///
  /// - Parameter rounds: Multiply-adds of a chain.
  /// - Returns: Floating-point operations.
  package static func operations(rounds: Int) -> Double {
    2 * Double(chains * lanes) * Double(rounds)
  }

  /// Chains of a work-item; `CHAINS` of `Roof.cl`.
  package static let chains = 12
  /// Rounds of the measurement: long beside the launch of a kernel.
  package static let rounds = 2048
  /// Results, enough to fill any device.
  private static let lanes = 1 << 18
  /// 64 MiB, more than caches hold.
  private static let copiedElements = 1 << 24
}
