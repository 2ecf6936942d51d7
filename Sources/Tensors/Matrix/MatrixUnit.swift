import Formats
import OpenCL

/// How a stream multiplies matrices: by which kernel, in which precision, with which parameters.
package final class MatrixUnit {
  /// The precision that the user asked for, for devices that have a choice.
  package let precision: MatrixPrecision?
  /// Counts and times the products while it is there.
  package var recorder: MatrixRecorder?
  /// What multiplies float32 instead of the family's kernel, tried out on first use.
  lazy var tensorCores = TensorCores.usable(precision, for: .float32, on: stream)
  /// The same for activations that are stored in 16 bits.
  lazy var activationCores = TensorCores.usable(precision, for: stream.activationType, on: stream)
  /// How a CPU multiplies bfloat16 without widening it, tried out on first use; nil where it cannot.
  lazy var bfloat16 = BFloat16Products.usable(on: stream)
  /// What is wrong with a variant of the tensor cores' kernels, found out by running it; nil for
  /// devices on which they only run in emulation.
  var variantTrial: ((_ variant: ProductVariant, _ cores: TensorCores) -> String?)?
  /// What is wrong with the variants so far; empty where nothing is.
  private(set) var faults: [ProductVariant: String] = [:]
  private unowned let stream: ComputeStream
  /// What was found for this device, looked up by sizes.
  private var tunedChoices = TunedChoices()
  /// Tiles and pieces that were found cheapest: a step has the same products as the one before.
  private var cheapest: [ProductSizes: ProductCost.Choice?] = [:]
  /// The tiles that they were chosen among.
  private var cheapestAmong: [ElementType: [WarpTile]] = [:]
  /// Numbers of regions differ from step to step; so many sizes are kept.
  private static let mostSizes = 4096

  init(_ stream: ComputeStream, precision: MatrixPrecision?) {
    self.stream = stream
    self.precision = precision
    if stream.family == .nvidia {
      variantTrial = { [unowned stream] in VariantTrial($0, with: $1).fault(on: stream) }
    }
  }

  /// The kernel that multiplies activations, with its precision.
  package var kernelName: String {
    let type = productType(of: stream.activationType)
    return kernelName(with: tensorCores(for: type), operands: type)
  }

  /// What products of activations take them as.
  ///
  /// A CPU multiplies float32, and bfloat16 where it has an instruction for it: other 16-bit operands
  /// are widened, in passing.
  ///
  /// - Parameter type: How the activations are stored.
  /// - Returns: The type of the operands.
  package func productType(of type: ElementType) -> ElementType {
    guard stream.family == .cpu else { return type }
    return type == .bfloat16 && bfloat16 != nil ? .bfloat16 : .float32
  }

  /// What products of activations take weights as: as the activations, except that a CPU rounds
  /// float32 weights while it packs them, without a copy.
  ///
  /// - Parameter type: How the activations are stored.
  /// - Returns: The type of the weights.
  package func weightType(of type: ElementType) -> ElementType {
    stream.family == .cpu ? .float32 : productType(of: type)
  }

  /// What kernels that are written for CPUs alone take activations as.
  ///
  /// - Parameter type: How the activations are stored.
  /// - Returns: float32 on a CPU, else the type.
  package func plainType(of type: ElementType) -> ElementType {
    stream.family == .cpu ? .float32 : type
  }

  /// What multiplies operands of a type instead of the family's own kernel, or nil.
  func tensorCores(for operands: ElementType) -> TensorCores? {
    if operands == .float32 { return tensorCores }
    return operands == stream.activationType ? activationCores : nil
  }

  /// The kernel that multiplies with or without tensor cores, with its precision.
  func kernelName(with cores: TensorCores?, operands: ElementType) -> String {
    if let cores { return cores.label }
    if stream.family == .cpu, operands == .bfloat16, let bfloat16 { return bfloat16.label }
    return stream.family == .cpu
      ? "matrix_product_forward_cpu float32" : "matrix_product_forward \(operands)"
  }

  /// The tile and the pieces of a product by tensor cores that cost least by the estimate.
  ///
  /// What a driver fails at is left out, so that other tiles take its place: each variant is tried
  /// on its first use.
  ///
  /// - Returns: nil when no tile works: the family's own kernel is left.
  func cheapest(_ launch: MatrixLaunch, with cores: TensorCores) -> ProductCost.Choice? {
    if cheapestAmong[cores.operands] != cores.tiles || cheapest.count >= Self.mostSizes {
      cheapest = [:]
      cheapestAmong[cores.operands] = cores.tiles
    }
    let sizes = ProductSizes(launch)
    if let choice = cheapest[sizes] { return choice }
    let cost = ProductCost(sizes, with: cores, units: stream.device.computeUnits)
    var tiles = cores.tiles
    var choice = cost.cheapest(among: tiles)
    while let wanted = choice,
      !isUsable(
        ProductVariant(
          launch, tile: wanted.tile, hasEpilogue: wanted.splits == 1 || stream.lastGroup != nil),
        with: cores)
    {
      tiles.removeAll { $0 == wanted.tile }
      choice = cost.cheapest(among: tiles)
    }
    cheapest[sizes] = .some(choice)
    return choice
  }

  /// Whether a variant is compiled and computed rightly, found out on its first use; one that is not
  /// gets a line on standard error.
  func isUsable(_ variant: ProductVariant, with cores: TensorCores) -> Bool {
    if let fault = faults[variant] { return fault.isEmpty }
    guard let fault = variantTrial?(variant, cores) else {
      faults[variant] = ""
      return true
    }
    faults[variant] = fault
    Console.warn(
      "\(stream.device.name): products of \(variant) are left to other kernels: \(fault)")
    return false
  }

  /// On what the products of activations stand, in one line: the kernel, how many of its variants were
  /// left to others, and whether sums cost launches of their own that a GPU of its kind does without.
  package var rung: String {
    let replaced = faults.values.count { !$0.isEmpty }
    let tried = faults.isEmpty ? "" : "; \(faults.count) variants tried"
    return kernelName + tried + (replaced > 0 ? ", \(replaced) left to other kernels" : "")
      + (stream.family == .nvidia && stream.lastGroup == nil ? "; sums by other launches" : "")
  }

  /// What was found for a product on this device; empty for the shipped parameters.
  func tunedChoice(for launch: MatrixLaunch, with cores: TensorCores?) -> [String: Int] {
    guard let table = stream.queue.context.tuning else { return [:] }
    let shape = MatrixShape(launch, kernel: kernelName(with: cores, operands: launch.operandType))
    return tunedChoices.choice(for: shape, in: table) {
      MatrixChoices(launch, on: stream, with: cores).isLegal($0)
    }
  }
}
