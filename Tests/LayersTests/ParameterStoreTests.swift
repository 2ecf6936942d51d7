import Checkpoints
import Foundation
import Layers
import TestSupport
import Testing

@Suite("Parameter store")
struct ParameterStoreTests {
  /// Runs `body` with a store of four parameters and a path for a weight file.
  private static func withModel(
    seed: UInt64 = 3, _ body: (ParameterStore, _ path: String) throws -> Void
  ) throws {
    try TestDevice.withStream { stream in
      let folder = try TemporaryFolder()
      try body(
        try model(on: ParameterStore(stream: stream, seed: seed)), folder.path + "/a.safetensors")
    }
  }

  private static func model(on store: ParameterStore) throws -> ParameterStore {
    let body = store.root / "body"
    _ = try body.parameter(
      "weight", [2, 3, 3, 4], .uniform(bound: 1), layout: .convolution)
    _ = try body.parameter("running_mean", [2], .zeros, role: .buffer)
    _ = try (store.root / "head").parameter(
      "weight", [3, 12], .uniform(bound: 1),
      layout: .flattened(channels: 3, height: 2, width: 2))
    _ = try (store.root / "text").frozen().parameter("weight", [5], .uniform(bound: 1))
    return store
  }

  private static func values(_ store: ParameterStore) throws -> [[Float]] {
    try store.parameters.map { try $0.value.floats() }
  }

  @Test("Parameters keep their order, paths and roles")
  func roles() throws {
    try Self.withModel { store, _ in
      #expect(
        store.parameters.map(\.name) == [
          "body.weight", "body.running_mean", "head.weight", "text.weight",
        ])
      #expect(store.parameters.map(\.role) == [.trained, .buffer, .trained, .frozen])
      #expect(store.trained.map(\.name) == ["body.weight", "head.weight"])
      #expect(store.trained.allSatisfy { $0.value.needsGradient })
      #expect(store["text.weight"]?.value.needsGradient == false)
      #expect(store["body.running_mean"]?.value.needsGradient == false)
      #expect(store["nothing"] == nil)
    }
  }

  @Test("Nothing below a frozen scope is trained, and statistics stay statistics")
  func frozen() throws {
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let scope = store.root.frozen() / "encoder" / "layer"
      let weight = try scope.parameter("weight", [2], .zeros)
      let bias = try scope.frozen(false).parameter("bias", [2], .zeros)
      let mean = try scope.parameter("mean", [2], .zeros, role: .buffer)
      #expect([weight.role, bias.role, mean.role] == [.frozen, .frozen, .buffer])
      #expect(store.trained.isEmpty)
    }
  }

  @Test("Start values follow seed and name")
  func startValues() throws {
    try Self.withModel(seed: 3) { first, _ in
      let again = try Self.model(on: ParameterStore(stream: first.stream, seed: 3))
      let other = try Self.model(on: ParameterStore(stream: first.stream, seed: 4))
      let values = try [first, again, other].map(Self.values)
      #expect(values[0] == values[1])
      #expect(values[0] != values[2])
    }
  }

  @Test("What is written comes back, in a file with the layout of PyTorch")
  func roundTrip() throws {
    try Self.withModel(seed: 3) { store, path in
      try SafeTensors.write(tensors: try store.state(), to: path)
      let file = try openWeights(path: path)
      #expect(file.shape(of: "body.weight") == [2, 4, 3, 3])
      #expect(file.shape(of: "head.weight") == [3, 12])
      let onDevice = try #require(try store["body.weight"]?.value.floats())
      let stored = try file.tensor(named: "body.weight").floats()
      #expect(stored == channelsFirst(onDevice, [2, 3, 3, 4]).values)

      let other = try Self.model(on: ParameterStore(stream: store.stream, seed: 99))
      let report = try other.load(from: file)
      #expect(report.matched == store.parameters.map(\.name))
      #expect(report.missing.isEmpty && report.unused.isEmpty)
      let (loaded, wanted) = (try Self.values(other), try Self.values(store))
      #expect(loaded == wanted)
    }
  }

  @Test("Missing and unused tensors are counted and named, and missing ones keep their values")
  func report() throws {
    try Self.withModel { store, path in
      let before = try Self.values(store)
      try SafeTensors.write(
        tensors: [
          ("body.running_mean", HostTensor(shape: [2], floats: [5, 6])),
          ("old.bias", HostTensor(shape: [1], floats: [0])),
        ], to: path)
      let report = try store.load(from: try openWeights(path: path))
      #expect(report.matched == ["body.running_mean"])
      #expect(report.missing == ["body.weight", "head.weight", "text.weight"])
      #expect(report.unused == ["old.bias"])
      #expect(
        report.summary == "\(path): 1 tensor loaded, 3 missing (body.weight, head.weight, "
          + "text.weight), 1 unused (old.bias)")
      let after = try Self.values(store)
      #expect(after[1] == [5, 6])
      #expect(after[0] == before[0] && after[2...] == before[2...])
    }
  }

  @Test("Renamed parameters are found under the file's names; skipped ones are not missing")
  func renamed() throws {
    try Self.withModel { store, path in
      try SafeTensors.write(
        tensors: [("backbone.running_mean", HostTensor(shape: [2], floats: [1, 2]))], to: path)
      let report = try store.load(from: try openWeights(path: path)) { name in
        name == "body.running_mean" ? "backbone.running_mean" : nil
      }
      #expect(report.matched == ["body.running_mean"])
      #expect(report.missing.isEmpty && report.unused.isEmpty)
      #expect(try store["body.running_mean"]?.value.floats() == [1, 2])
    }
  }

  @Test("A wrong shape is answered with file, tensor and both shapes")
  func wrongShape() throws {
    try Self.withModel { store, path in
      // The device's shape where the file's belongs.
      try SafeTensors.write(
        tensors: [
          ("body.weight", HostTensor(shape: [2, 3, 3, 4], floats: .init(repeating: 0, count: 72)))
        ], to: path)
      #expect {
        try store.load(from: try openWeights(path: path))
      } throws: { error in
        let text = "\(error)"
        return text.contains(path) && text.contains("body.weight")
          && text.contains("has shape [2, 3, 3, 4], the model needs [2, 4, 3, 3]")
          && !text.contains("\n")
      }
    }
  }

  @Test(
    "Values that are no finite numbers are refused",
    arguments: [
      Float.nan, .infinity, -.infinity,
    ])
  func notFinite(value: Float) throws {
    try Self.withModel { store, path in
      try SafeTensors.write(
        tensors: [("body.running_mean", HostTensor(shape: [2], floats: [1, value]))], to: path)
      #expect {
        try store.load(from: try openWeights(path: path))
      } throws: { error in
        let text = "\(error)"
        return text.contains(path) && text.contains("body.running_mean")
          && text.contains("not a finite number")
      }
      #expect(try store["body.running_mean"]?.value.floats() == [0, 0])
    }
  }
}
