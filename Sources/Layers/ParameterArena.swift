import Formats
import OpenCL
import Tensors

/// The trained parameters of a model and their gradients, each in one piece of memory.
///
/// An optimizer step is a few launches over arenas instead of a few for every parameter, and
/// gradients arrive where it reads them. Parameters move into their arena when it is made.
package final class ParameterArena {
  /// The parameters, in the order of the arena.
  package let parameters: [Parameter]
  /// The elements of each parameter; between them lie zeros.
  package let ranges: [Range<Int>]
  /// All values.
  package let values: Tensor
  /// All gradients; only those of parameters that have one now count.
  package let gradients: Tensor
  /// All values rounded to 16 bits, and the part of each parameter; made once.
  private var rounded: (arena: Tensor, parts: [Tensor])?

  /// Moves parameters into an arena.
  ///
  /// - Parameters:
  ///   - parameters: Trained parameters.
  ///   - stream: Where they live.
  package init(_ parameters: [Parameter], on stream: ComputeStream) throws {
    self.parameters = parameters
    // Parts of 16-bit copies are aligned too.
    let step = max(1, stream.device.bufferAlignment / 2)
    var ranges: [Range<Int>] = []
    var end = 0
    for parameter in parameters {
      ranges.append(end..<end + parameter.value.count)
      end += parameter.value.count.roundedUp(toMultipleOf: step)
    }
    self.ranges = ranges
    values = try Tensor(repeating: 0, shape: [end], on: stream, label: "parameters")
    gradients = try Tensor(repeating: 0, shape: [end], on: stream, label: "gradients")
    for (index, parameter) in parameters.enumerated() {
      try parameter.move(to: try part(index, of: values), gradient: try part(index, of: gradients))
    }
  }

  /// One more arena of the same layout, full of zeros.
  ///
  /// - Parameter label: What it holds, for memory reports.
  /// - Returns: The arena, and its part for every parameter in order.
  package func zeros(label: String) throws -> (arena: Tensor, parts: [Tensor]) {
    let arena = try Tensor(
      repeating: 0, shape: values.shape, on: values.stream, label: label)
    return (arena, try parameters.indices.map { try part($0, of: arena) })
  }

  /// The part of an arena that belongs to a parameter.
  private func part(_ index: Int, of arena: Tensor) throws -> Tensor {
    try arena.part(ranges[index], shape: parameters[index].value.shape)
  }

  /// Rounds all values to 16 bits at once, for the products of a step.
  ///
  /// - Parameter type: How activations are stored; float32 needs no copies.
  package func round(to type: ElementType) throws {
    let type = values.stream.matrix.weightType(of: type)
    guard type != .float32, values.count > 0 else { return }
    let copies: (arena: Tensor, parts: [Tensor])
    if let rounded, rounded.arena.elementType == type {
      copies = rounded
      try values.round(into: copies.arena)
    } else {
      let arena = try values.converted(to: type)
      copies = (arena, try parameters.indices.map { try part($0, of: arena) })
      rounded = copies
    }
    for (parameter, part) in zip(parameters, copies.parts) {
      parameter.value.node?.rounded = part
    }
  }

  /// Forgets the rounded values: the parameters have changed.
  package func forgetRounded() {
    for parameter in parameters { parameter.value.node?.rounded = nil }
  }

  /// For each parameter whether a gradient has reached it.
  package var reached: [Bool] { parameters.map { $0.gradient != nil } }

  /// Sets the gradients of parameters that none has reached to 0, so that all of them can be added.
  package func clearUnreached() throws {
    let stream = gradients.stream
    for (parameter, range) in zip(parameters, ranges)
    where parameter.gradient == nil && !range.isEmpty {
      try stream.queue.fill(try gradients.part(range, shape: [range.count]).buffer, pattern: 0)
    }
  }

  /// Some parameters as runs of neighbours.
  ///
  /// - Parameter chosen: For each parameter whether it is one of them.
  /// - Returns: The elements from the first to the last parameter of each run, and the elements of
  ///   each parameter.
  package func runs(of chosen: [Bool]) -> (runs: [Range<Int>], each: [Range<Int>]) {
    var runs: [Range<Int>] = []
    var each: [Range<Int>] = []
    var extends = false
    for (isChosen, range) in zip(chosen, ranges) {
      guard isChosen else {
        extends = false
        continue
      }
      each.append(range)
      if extends, let last = runs.popLast() {
        runs.append(last.lowerBound..<range.upperBound)
      } else {
        runs.append(range)
      }
      extends = true
    }
    return (runs, each)
  }
}
