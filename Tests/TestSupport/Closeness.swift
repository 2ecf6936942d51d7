import Testing

/// Checks |got - want| <= absolute * max(1, largest |want|) + relative * |want| element by element.
///
/// Equal infinities are close; NaN is close to nothing. A failure names the number of differing
/// elements, the worst index and both values.
///
/// - Parameters:
///   - got: What we computed.
///   - want: What it should be.
///   - relative: Relative tolerance.
///   - absolute: Absolute tolerance, times max(1, largest finite wanted value).
///   - label: What is compared, for the message.
///   - location: Where the check stands.
package func expectClose<Got: BinaryFloatingPoint, Want: BinaryFloatingPoint>(
  _ got: [Got], _ want: [Want], relative: Double = 1e-4, absolute: Double = 1e-5, _ label: String,
  location: SourceLocation = #_sourceLocation
) {
  guard got.count == want.count else {
    Issue.record("\(label): \(got.count) values, wanted \(want.count)", sourceLocation: location)
    return
  }
  let largest = want.reduce(0.0) { $1.isFinite ? max($0, abs(Double($1))) : $0 }
  let floor = absolute * max(1, largest)
  var wrong = 0
  var worst = -1
  var worstError = -1.0
  for index in got.indices {
    let (value, wanted) = (Double(got[index]), Double(want[index]))
    if value == wanted { continue }
    let error = abs(value - wanted)
    if error <= floor + relative * abs(wanted) { continue }
    wrong += 1
    let size = error.isNaN ? .infinity : error
    if size > worstError { (worst, worstError) = (index, size) }
  }
  guard wrong > 0 else { return }
  Issue.record(
    """
    \(label): \(wrong) of \(got.count) values differ; worst at \(worst): got \(got[worst]), \
    wanted \(want[worst])
    """, sourceLocation: location)
}
