import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("What is told while a computation is differentiated")
struct GradientObserverTests {
  private final class Listener: GradientObserver {
    var leaves: [String] = []
    var complete: [(name: String, sum: Float)] = []
    private let tensors: [Tensor]

    init(_ tensors: [Tensor]) { self.tensors = tensors }

    func begin(_ leaves: [GradientNode]) { self.leaves = leaves.map(\.name).sorted() }

    func complete(_ leaf: GradientNode) throws {
      // What has arrived by now is all that will arrive.
      let tensor = tensors.first { $0.node === leaf }
      let sum = try tensor?.gradient?.floats().reduce(0, +) ?? .nan
      complete.append((leaf.name, sum))
    }
  }

  @Test("each leaf once, when its last use has passed its gradient on", arguments: [1, 2])
  func leaves(uses: Int) throws {
    try TestDevice.withStream(.generic) { stream in
      let values = try (0..<4).map { _ in
        try Tensor([Float](repeating: 1, count: 8), shape: [8], on: stream)
      }
      let (early, late, unused) = (
        values[0].trained("early"), values[1].trained("late"), values[2].trained("unused")
      )
      let listener = Listener([early, late, unused])
      stream.gradientObserver = listener
      defer { stream.gradientObserver = nil }
      // The first product is the last one to be differentiated.
      var result = try early.multiplied(by: values[3])
      for _ in 0..<uses { result = try result.adding(late) }
      if uses == 2 { result = try result.adding(early) }
      _ = try unused.scaled(by: 2)
      try result.sum().backward()
      #expect(listener.leaves == ["early", "late"])
      #expect(listener.complete.map(\.name) == ["late", "early"])
      #expect(listener.complete.map(\.sum) == [Float(8 * uses), uses == 2 ? 16 : 8])
    }
  }
}
