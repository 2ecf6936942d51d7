import Distribution
import Testing

@Suite struct EfficiencyModelTests {
  /// `ov-coco-fpn-kd` as the specification counts it.
  private static let buckets = [
    (21.3, 0.60), (3.9, 0.80), (15.0, 0.86), (7.1, 0.91), (1.4, 0.98),
  ].map { EfficiencyModel.Bucket(bytes: 4e6 * $0.0, ready: $0.1) }
  private static let speed = EfficiencyModel.Speed(sum: 4.7e9, copies: 45e9, statistics: 66e-6)

  // The specification adds the exchanges of statistics to the end of the step, here they stretch it.
  @Test(arguments: [(0.09, 0.79), (0.05, 0.57)]) func theSpecificationsFiguresComeOut(
    seconds: Double, expected: Double
  ) {
    let model = EfficiencyModel(buckets: Self.buckets, exchanges: 244)
    #expect(abs(model.efficiency(of: seconds, at: Self.speed) - expected) < 0.04)
  }

  @Test func withoutExchangesNothingIsLost() {
    let model = EfficiencyModel(buckets: [], exchanges: 0)
    #expect(model.efficiency(of: 0.1, at: Self.speed) == 1)
    #expect(model.hiddenShare(of: 0.1, at: Self.speed) == 1)
  }

  @Test func fastSumsAreHidden() {
    let model = EfficiencyModel(buckets: Self.buckets, exchanges: 0)
    var speed = Self.speed
    let slow = model.efficiency(of: 0.09, at: speed)
    let slowShare = model.hiddenShare(of: 0.09, at: speed)
    speed.sum = 40e9
    #expect(model.efficiency(of: 0.09, at: speed) > 0.98)
    #expect(model.efficiency(of: 0.09, at: speed) > slow)
    #expect(model.hiddenShare(of: 0.09, at: speed) >= slowShare)
    #expect(model.efficiency(of: 0, at: speed) == 0)
  }
}
