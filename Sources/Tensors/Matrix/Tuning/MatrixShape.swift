import OpenCL

/// A class of matrix products that share their kernel and, nearly, their sizes: what the tuner
/// searches parameters for.
package struct MatrixShape: Hashable, Sendable {
  /// The kernel with its precision.
  let kernel: String
  let rows, columns, depth, batch: Int
  let left, right: MatrixLoader
  /// Elements of one copy of each operand.
  let leftWidth, rightWidth: Int
  let scatters: Bool
  /// Whether the depth may be cut into pieces.
  let mayBeSplit: Bool
  /// What the target is.
  let targetType: ElementType
  /// What the right operand is where it differs from the left one.
  let rightType: ElementType?
  /// What becomes of the sums.
  let epilogue: MatrixEpilogue.Kind?

  /// The class of a product.
  init(_ launch: MatrixLaunch, kernel: String) {
    self.kernel = kernel
    rows = Self.rounded(launch.rows)
    columns = launch.columns
    depth = Self.rounded(launch.depth)
    batch = Self.rounded(launch.batch)
    (left, right) = (launch.left.loader, launch.right.loader)
    leftWidth = launch.leftCopyWidth
    rightWidth = launch.rightCopyWidth(tileDepth: WarpTile.depth(of: launch.operandType))
    scatters = launch.scatters
    mayBeSplit = launch.mayBeSplit
    targetType = launch.targetType
    rightType = launch.rightType == launch.operandType ? nil : launch.rightType
    epilogue = launch.epilogue?.kind
  }

  /// Numbers above 64 rounded down to one of four steps per power of two: numbers of pixels and
  /// regions differ from step to step.
  static func rounded(_ number: Int) -> Int {
    guard number > 64 else { return number }
    let shift = Int.bitWidth - number.leadingZeroBitCount - 3
    return (number >> shift) << shift
  }

  /// The name of the class in records.
  package var name: String {
    var parts = [
      kernel, "\(rows)x\(columns)x\(depth)", "batch \(batch)", "left \(left)/\(leftWidth)",
      "right \(right)/\(rightWidth)",
    ]
    if scatters { parts.append("scattered") }
    if !mayBeSplit { parts.append("whole") }
    if let rightType { parts.append("by \(rightType)") }
    if targetType != .float32 { parts.append("into \(targetType)") }
    if let epilogue { parts.append("then \(epilogue)") }
    return parts.joined(separator: " ")
  }
}

/// The parameters of a context's tuning table by the class of a product.
///
/// Names are put together once for each class: a step has thousands of products.
struct TunedChoices {
  private var digest: String?
  private var choices: [MatrixShape: [String: Int]] = [:]

  /// The parameters for a class; empty for the shipped ones.
  mutating func choice(
    for shape: MatrixShape, in table: TuningTable, isLegal: ([String: Int]) -> Bool
  ) -> [String: Int] {
    if digest != table.digest {
      choices = [:]
      digest = table.digest
    }
    if let choice = choices[shape] { return choice }
    let found = table.parameters[shape.name] ?? [:]
    let choice = isLegal(found) ? found : [:]
    choices[shape] = choice
    return choice
  }
}
