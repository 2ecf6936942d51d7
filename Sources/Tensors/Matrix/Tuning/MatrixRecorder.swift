import Formats
import OpenCL

/// Counts and times the matrix products of a step by their class.
///
/// It waits for the device around each product, so that a recorded step is slower than others.
package final class MatrixRecorder {
  /// The products of one class.
  package struct Use {
    /// The class.
    package let shape: MatrixShape
    /// How many there were.
    package private(set) var calls = 0
    /// How long they took, each from an idle queue to an idle queue.
    package private(set) var seconds = 0.0
    /// The first of them without its memory.
    let example: MatrixExample

    init(shape: MatrixShape, example: MatrixExample) {
      self.shape = shape
      self.example = example
    }

    mutating func add(seconds: Double) {
      calls += 1
      self.seconds += seconds
    }
  }

  private var byShape: [MatrixShape: Use] = [:]

  /// Creates an empty recorder.
  package init() {}

  /// What was recorded, the largest share of time first.
  package var uses: [Use] {
    byShape.values.sorted { ($1.seconds, $0.shape.name) < ($0.seconds, $1.shape.name) }
  }

  func record(
    _ launch: MatrixLaunch, target: Buffer, on stream: ComputeStream, with cores: TensorCores?,
    _ body: () throws -> Void
  ) throws {
    try stream.queue.finish()
    let begin = MonotonicClock.seconds
    try body()
    try stream.queue.finish()
    guard launch.rows > 0, launch.columns > 0, launch.batch > 0 else { return }
    let shape = MatrixShape(
      launch, kernel: stream.matrix.kernelName(with: cores, operands: launch.operandType))
    byShape[shape, default: Use(shape: shape, example: MatrixExample(launch, target: target))]
      .add(seconds: MonotonicClock.seconds - begin)
  }
}

/// A product that was launched, with the sizes of its memory in its place.
struct MatrixExample {
  private let rows, columns, depth, batch: Int
  private let left, right: (loader: MatrixLoader, pitch: Int, stride: Int)
  private let geometry: PatchGeometry?
  private let targetStride: Int?
  private let adds, scatters: Bool
  let leftBytes, rightBytes, targetBytes: Int
  let biasBytes: Int?
  let operandType, targetType: ElementType
  let rightType: ElementType?
  let epilogue: MatrixEpilogue.Kind?
  /// Whether the epilogue reads or writes memory.
  let hasAside: Bool

  init(_ launch: MatrixLaunch, target: Buffer) {
    (rows, columns, depth, batch) = (launch.rows, launch.columns, launch.depth, launch.batch)
    left = (launch.left.loader, launch.left.pitch, launch.left.stride)
    right = (launch.right.loader, launch.right.pitch, launch.right.stride)
    (geometry, targetStride) = (launch.geometry, launch.targetStride)
    (adds, scatters) = (launch.adds, launch.scatters)
    (leftBytes, rightBytes) = (launch.left.buffer.bytes, launch.right.buffer.bytes)
    (targetBytes, biasBytes) = (target.bytes, launch.bias?.bytes)
    (operandType, targetType) = (launch.operandType, launch.targetType)
    rightType = launch.rightType
    epilogue = launch.epilogue?.kind
    hasAside = launch.epilogue?.aside != nil
  }

  /// The same product of other operands.
  func launch(left: Buffer, right: Buffer, bias: Buffer?, aside: Buffer?) -> MatrixLaunch {
    MatrixLaunch(
      rows: rows, columns: columns, depth: depth, batch: batch,
      left: MatrixOperand(
        buffer: left, loader: self.left.loader, pitch: self.left.pitch, stride: self.left.stride),
      right: MatrixOperand(
        buffer: right, loader: self.right.loader, pitch: self.right.pitch,
        stride: self.right.stride),
      bias: bias, operandType: operandType, rightType: rightType, targetType: targetType,
      targetStride: targetStride,
      adds: adds, epilogue: epilogue.map { MatrixEpilogue(kind: $0, aside: aside) },
      geometry: geometry, scatters: scatters)
  }
}
