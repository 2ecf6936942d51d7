import Layers
import Testing

@Suite("Start values")
struct InitializerTests {
  private static let count = 20_000

  private static func moments(_ values: [Float]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    let variance =
      values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count)
    return (mean, variance.squareRoot())
  }

  @Test(
    "Values depend on seed and name alone",
    arguments: [
      Initializer.constant(3), .normal(standardDeviation: 0.02), .uniform(bound: 2),
      .xavierUniform(inputs: 3, outputs: 5), .kaimingNormal(fan: 9), .torchDefault(inputs: 16),
    ])
  func deterministic(initializer: Initializer) {
    let values = initializer.values(count: 64, seed: 7, name: "head.weight")
    #expect(values == initializer.values(count: 64, seed: 7, name: "head.weight"))
    #expect(initializer.values(count: 0, seed: 7, name: "head.weight").isEmpty)
    guard case .constant(let value) = initializer else {
      #expect(values != initializer.values(count: 64, seed: 8, name: "head.weight"))
      #expect(values != initializer.values(count: 64, seed: 7, name: "head.bias"))
      return
    }
    #expect(values == [Float](repeating: value, count: 64))
  }

  @Test(
    "Uniform values fill their bounds evenly",
    arguments: [
      (Initializer.uniform(bound: 0.5), 0.5),
      (.xavierUniform(inputs: 100, outputs: 50), 0.2),
      (.torchDefault(inputs: 400), 0.05),
    ])
  func uniform(initializer: Initializer, bound: Double) {
    let values = initializer.values(count: Self.count, seed: 1, name: "weight")
    let largest = values.reduce(0) { max($0, abs(Double($1))) }
    #expect(largest <= bound * 1.000001 && largest > 0.99 * bound)
    let (mean, deviation) = Self.moments(values)
    // The mean of n values strays by deviation / sqrt(n), 0.004 bounds here.
    #expect(abs(mean) < 0.02 * bound)
    #expect(abs(deviation / (bound / 3.0.squareRoot()) - 1) < 0.02)
  }

  @Test(
    "Normal values have mean 0 and the deviation asked for",
    arguments: [
      (Initializer.normal(standardDeviation: 0.01), 0.01), (.kaimingNormal(fan: 200), 0.1),
    ])
  func normal(initializer: Initializer, wanted: Double) {
    let values = initializer.values(count: Self.count, seed: 1, name: "weight")
    let (mean, deviation) = Self.moments(values)
    #expect(abs(mean) < 0.03 * wanted)
    #expect(abs(deviation / wanted - 1) < 0.03)
    // 68.3 % of a normal distribution lie within one deviation.
    let within = values.count { abs(Double($0)) < wanted }
    #expect(abs(Double(within) / Double(Self.count) - 0.6827) < 0.02)
    #expect(values.allSatisfy { $0.isFinite })
  }
}
