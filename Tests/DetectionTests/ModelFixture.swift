import Layers
import Tensors
import TestSupport
import Testing

/// Moves a fixture's state dict into a store and compares gradients and buffers with it.
struct ModelFixture {
  let fixture: Fixture
  let store: ParameterStore
  /// The fixture's name of a parameter.
  var rename: (String) -> String = { $0 }

  /// Overwrites every parameter of the store; each must be in the fixture.
  func load() throws {
    for parameter in store.parameters {
      let name = rename(parameter.name)
      let key = fixture.has("p.\(name)") ? "p.\(name)" : "b.\(name)"
      let shape = parameter.value.shape
      try #require(
        try fixture.shape(key) == parameter.layout.fileShape(shape), "\(fixture.name) \(key)")
      try parameter.value.overwrite(
        with: parameter.layout.fromFile(try fixture.floats(key), shape: shape))
    }
  }

  /// Compares the gradients of all parameters that the fixture holds gradients of.
  func expectGradients() throws {
    var compared = 0
    for parameter in store.parameters where parameter.role == .trained {
      let key = "grad_p.\(rename(parameter.name))"
      guard fixture.has(key) else { continue }
      let gradient = try #require(parameter.gradient, "\(fixture.name) \(key)")
      let values = parameter.layout.toFile(try gradient.floats(), shape: gradient.shape)
      expectClose(
        values, try fixture.floats(key), relative: fixture.relative, absolute: fixture.absolute,
        "\(fixture.name) \(key)")
      compared += 1
    }
    let stored = fixture.names.filter { $0.hasPrefix("grad_p.") }.count
    #expect(compared == stored, "\(fixture.name): compared \(compared) of \(stored) gradients")
  }

  /// Compares the running statistics after the step.
  func expectBuffers() throws {
    for parameter in store.parameters where parameter.role == .buffer {
      let key = "after.\(rename(parameter.name))"
      guard fixture.has(key) else { continue }
      try fixture.expect(parameter.value, equals: key)
    }
  }
}

extension Fixture {
  /// Tensors `<stem>0`, `<stem>1`, … in order.
  func numbered(_ stem: String) -> [String] {
    Array((0...).lazy.map { "\(stem)\($0)" }.prefix { has($0) })
  }

  /// Compares a gradient; where none arrived, because the tensor took no part, it must be zero.
  func expectGradient(of tensor: Tensor, equals key: String) throws {
    if tensor.gradient == nil {
      #expect(try floats(key).allSatisfy { $0 == 0 }, "\(name) \(key)")
    } else {
      try expect(tensor.gradient, equals: key)
    }
  }

  /// The anchors' parameters.
  func numbers(_ group: String, _ key: String) throws -> [Double] {
    try #require(params[group]?[key]?.array, "\(name): no \(group).\(key)").compactMap(\.number)
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips a test, visibly, where the peers' numbers are not there.
  static var needsFixtures: Self {
    .enabled(if: Fixture.available, "no fixtures; set BARON_SHARED to the shared folder")
  }
}

/// The sum of every tensor times a constant gradient, so that one backward pass serves them all.
func weightedSum(_ pairs: [(Tensor, Tensor)]) throws -> Tensor {
  let parts = try pairs.map { try $0.multiplied(by: $1).sum() }
  let first = try #require(parts.first)
  return try parts.dropFirst().reduce(first) { try $0.adding($1) }
}
