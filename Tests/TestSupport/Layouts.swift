import Tensors
import Testing

/// Moves axis 1 of a rank-4 array to the end: NCHW to NHWC, OIHW to OHWI.
///
/// - Parameters:
///   - values: Row-major elements.
///   - shape: Four sizes, the channels second.
/// - Returns: The elements with the channels last, and their sizes.
package func channelsLast(_ values: [Float], _ shape: [Int]) -> (values: [Float], shape: [Int]) {
  permuted(values, shape, [0, 2, 3, 1])
}

/// Moves the last axis of a rank-4 array to the second place: NHWC to NCHW, OHWI to OIHW.
///
/// - Parameters:
///   - values: Row-major elements.
///   - shape: Four sizes, the channels last.
/// - Returns: The elements with the channels second, and their sizes.
package func channelsFirst(_ values: [Float], _ shape: [Int]) -> (values: [Float], shape: [Int]) {
  permuted(values, shape, [0, 3, 1, 2])
}

private func permuted(
  _ values: [Float], _ shape: [Int], _ order: [Int]
) -> (values: [Float], shape: [Int]) {
  precondition(shape.count == 4, "layouts are for rank 4, not \(shape)")
  let strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1]
  let sizes = order.map { shape[$0] }
  let steps = order.map { strides[$0] }
  var result: [Float] = []
  result.reserveCapacity(values.count)
  for i in 0..<sizes[0] {
    for j in 0..<sizes[1] {
      for k in 0..<sizes[2] {
        for l in 0..<sizes[3] {
          result.append(values[i * steps[0] + j * steps[1] + k * steps[2] + l * steps[3]])
        }
      }
    }
  }
  return (result, sizes)
}

extension Fixture {
  /// A float tensor on a device, rank-4 ones as NHWC or OHWI.
  ///
  /// - Parameters:
  ///   - key: Its name.
  ///   - stream: Where it goes.
  ///   - turned: Whether a rank-4 tensor is turned from NCHW (OIHW) to NHWC (OHWI).
  /// - Returns: The tensor, a constant.
  /// - Throws: `FormatError` or `OpenCLError`.
  package func tensor(
    _ key: String, on stream: ComputeStream, channelsLast turned: Bool = true
  ) throws -> Tensor {
    let (values, shape) = (try floats(key), try shape(key))
    guard turned, shape.count == 4 else { return try Tensor(values, shape: shape, on: stream) }
    let turned = TestSupport.channelsLast(values, shape)
    return try Tensor(turned.values, shape: turned.shape, on: stream)
  }

  /// Compares a device tensor with a stored one within the file's tolerance.
  ///
  /// - Parameters:
  ///   - tensor: What we computed, rank-4 tensors as NHWC (OHWI); nil fails.
  ///   - key: The stored tensor's name.
  ///   - turned: Whether a rank-4 tensor is turned to NCHW (OIHW) before comparing.
  ///   - label: More about the case, for the message.
  ///   - location: Where the check stands.
  /// - Throws: `FormatError` or `OpenCLError`.
  package func expect(
    _ tensor: Tensor?, equals key: String, channelsLast turned: Bool = true, _ label: String = "",
    location: SourceLocation = #_sourceLocation
  ) throws {
    let title = "\(name) \(key) \(label)"
    guard let tensor else {
      Issue.record("\(title): there is no result", sourceLocation: location)
      return
    }
    let wanted = try floats(key)
    var got = try tensor.floats()
    if turned, tensor.rank == 4 { got = channelsFirst(got, tensor.shape).values }
    expectClose(
      got, wanted, relative: relative, absolute: absolute, title, location: location)
  }
}
