import Formats
import OpenCL

/// A product of made-up operands that is run with one choice of parameters after the other, checked
/// against the host and timed.
final class MatrixTrial {
  private let launch: MatrixLaunch
  private let stream: ComputeStream
  private let cores: TensorCores?
  private let target: Tensor
  /// What an epilogue reads or writes.
  private let aside: Tensor?
  private let reference: MatrixReference
  /// What the shipped parameters and the candidates are.
  let choices: MatrixChoices
  /// Changes the result, to test that a wrong one is found out.
  var tamper: ((_ choice: [String: Int], _ target: Buffer) throws -> Void)?

  /// How the product would be launched now.
  var plan: MatrixPlan {
    MatrixPlan(
      launch, on: stream, with: cores, tuned: stream.matrix.tunedChoice(for: launch, with: cores))
  }

  /// Elements of the result that are compared with the host's.
  static let samples = 256

  /// Makes the operands of a recorded product.
  ///
  /// - Parameters:
  ///   - example: The product.
  ///   - stream: Where to run.
  ///   - cores: The tensor cores, or nil.
  init(_ example: MatrixExample, on stream: ComputeStream, with cores: TensorCores?) throws {
    self.stream = stream
    self.cores = cores
    var seed: UInt64 = 1
    func operand(_ bytes: Int, _ type: ElementType) throws -> (buffer: Buffer, values: [Float]) {
      var random = CounterRandom(seed: seed)
      let values = random.floats(bytes / type.bytes)
      seed += 1
      let exact = try Tensor(values, shape: [values.count], on: stream, label: "tuning operand")
      let stored = try exact.converted(to: type)
      return (stored.buffer, type == .float32 ? values : try stored.floats())
    }
    let left = try operand(example.leftBytes, example.operandType)
    let right = try operand(example.rightBytes, example.rightType ?? example.operandType)
    let bias = try example.biasBytes.map { try operand($0, .float32) }
    target = try Tensor(
      uninitialized: [example.targetBytes / example.targetType.bytes], on: stream,
      elementType: example.targetType, label: "tuning target")
    aside =
      example.hasAside
      ? try Tensor(
        operand(4 * target.count, .float32).values, shape: target.shape, on: stream,
        label: "tuning operand"
      ).converted(to: example.targetType) : nil
    launch = example.launch(
      left: left.buffer, right: right.buffer, bias: bias?.buffer, aside: aside?.buffer)
    reference = MatrixReference(
      launch, left: left.values, right: right.values, bias: bias?.values, samples: Self.samples)
    choices = MatrixChoices(launch, on: stream, with: cores)
  }

  /// Compiles, checks and times a choice.
  ///
  /// - Parameters:
  ///   - choice: The parameters.
  ///   - limit: Seconds that the first run, with compiling, may take, and the timing in all.
  ///   - isShipped: Whether they are the shipped ones, which no limit rejects.
  /// - Returns: The median time and the largest error of the sampled elements.
  /// - Throws: `Tuner.TooSlow`, or `OpenCLError` when they do not compile or run.
  func measure(
    _ choice: [String: Int], limit: Double, isShipped: Bool
  ) throws -> Tuner.Measurement {
    // What is not written is no number; what is added to starts from zero.
    // In any type.
    try stream.queue.fill(target.buffer, pattern: launch.adds ? 0 : 0x7FC0_7FC0)
    if let aside, launch.epilogue?.kind.writesAside == true {
      try stream.queue.fill(aside.buffer, pattern: 0x7FC0_7FC0)
    }
    let first = try seconds(choice, calls: 1)
    guard isShipped || first <= limit else { throw Tuner.TooSlow(seconds: first) }
    try tamper?(choice, target.buffer)
    let error = reference.worstError(of: try target.floats(), aside: try aside?.floats())
    let once = try seconds(choice, calls: 1)
    // A sample is long enough for the clock; all samples keep the limit.
    let calls = max(1, min(64, Int(Self.sampleSeconds / max(once, 1e-7))))
    var samples: [Double] = []
    var spent = once
    repeat {
      let sample = try seconds(choice, calls: calls)
      samples.append(sample / Double(calls))
      spent += sample
    } while samples.count < Self.mostSamples && spent < limit / 2
    return Tuner.Measurement(seconds: samples.sorted()[samples.count / 2], error: error)
  }

  private static let sampleSeconds = 0.005
  private static let mostSamples = 9

  private func seconds(_ choice: [String: Int], calls: Int) throws -> Double {
    let tuned = choice == choices.shipped ? [:] : choice
    let begin = MonotonicClock.seconds
    for _ in 0..<calls {
      try launch.run(on: stream, into: target.buffer, with: cores, tuned: tuned)
    }
    try stream.queue.finish()
    return MonotonicClock.seconds - begin
  }
}
