import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Training state", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct TrainingStateTests {
  /// One way to damage a checkpoint and what its error must say.
  private struct Damage {
    let file: String
    let parts: [String]
    let apply: (_ path: String) throws -> Void

    init(_ file: String, _ parts: [String], _ apply: @escaping (_ path: String) throws -> Void) {
      (self.file, self.parts, self.apply) = (file, parts, apply)
    }
  }

  private static func cut(_ path: String) throws {
    let data = try #require(FileManager.default.contents(atPath: path))
    try data.prefix(data.count / 2).write(to: URL(filePath: path))
  }

  /// Rewrites a file with some tensors changed; nil removes one.
  private static func change(
    _ path: String, _ body: (_ name: String, _ tensor: HostTensor) throws -> HostTensor?
  ) throws {
    let file = try SafeTensorsFile(path: path)
    let tensors = try file.names.compactMap { name in
      try body(name, try file.tensor(named: name)).map { (name: name, tensor: $0) }
    }
    try SafeTensors.write(tensors: tensors, metadata: file.metadata, to: path)
  }

  private static func replacing(
    _ wanted: String, with body: @escaping (HostTensor) throws -> HostTensor?
  ) -> (String) throws -> Void {
    { path in try change(path) { name, tensor in name == wanted ? try body(tensor) : tensor } }
  }

  private static func text(_ old: String, _ new: String) -> (String) throws -> Void {
    { path in
      let text = try String(contentsOfFile: path, encoding: .utf8)
      try #require(text.contains(old))
      try Data(text.replacing(old, with: new).utf8).write(to: URL(filePath: path))
    }
  }

  private static func withNaN(_ tensor: HostTensor) throws -> HostTensor {
    var values = try tensor.floats()
    values[values.count - 1] = .nan
    return HostTensor(shape: tensor.shape, floats: values)
  }

  private static func shortened(_ tensor: HostTensor) throws -> HostTensor {
    let rest = try Array(tensor.floats().dropLast(tensor.count / tensor.shape[0]))
    return HostTensor(shape: [tensor.shape[0] - 1] + tensor.shape.dropFirst(), floats: rest)
  }

  private static var damages: [Damage] {
    let (model, state, index) = ("model.safetensors", "state.safetensors", "state.json")
    let weight = "backbone.conv1.weight"
    let (momentum, queue) = ("momentum.\(weight)", "queue.teacher_bags.rows")
    return [
      Damage(index, ["state.json"]) { try FileManager.default.removeItem(atPath: $0) },
      Damage(index, ["state.json", "line"], cut),
      Damage(
        index, ["not a training state of this version"], text("\"format\": 1", "\"format\": 2")),
      Damage(index, ["not a training state"], text("\"iteration\": 2", "\"iteration\": -2")),
      Damage(index, ["queue_rows.student_bags", "missing"], text("student_bags", "students")),
      Damage(index, ["cache_calls"], text("cache_calls", "cache_call")),
      Damage(model, ["cut short"], cut),
      Damage(model, [weight, "there is no tensor"], replacing(weight) { _ in nil }),
      Damage(model, [weight, "has shape"], replacing(weight, with: shortened)),
      Damage(model, [weight, "not a finite number"], replacing(weight, with: withNaN)),
      Damage(state, ["cut short"], cut),
      Damage(state, [momentum, "there is no tensor"], replacing(momentum) { _ in nil }),
      Damage(state, [momentum, "has shape"], replacing(momentum, with: shortened)),
      Damage(state, [momentum, "not a finite number"], replacing(momentum, with: withNaN)),
      Damage(state, [queue, "there is no tensor"], replacing(queue) { _ in nil }),
      Damage(state, [queue, "has shape"], replacing(queue, with: shortened)),
      Damage(state, [queue, "not a finite number"], replacing(queue, with: withNaN)),
      Damage(
        state, [queue, "F32", "I32"],
        replacing(queue) {
          HostTensor(shape: $0.shape, integers: [Int32](repeating: 0, count: $0.count))
        }),
      Damage(
        state, ["queue.teacher_bags.images"], replacing("queue.teacher_bags.images") { _ in nil }),
      Damage(state, ["cache.rows"], replacing("cache.rows", with: shortened)),
      Damage(state, ["cache.images"], replacing("cache.images") { _ in nil }),
    ]
  }

  @Test func damagedCheckpointsAreRefusedInOneLine() throws {
    var world = try TrainingWorld()
    world.configuration.training.iterations = 2
    world.configuration.alignment.cache.firstCall = 1
    let whole = world.checkpoint("run", 2)
    try TestDevice.withContext(poisoned: false) { context in
      let trainer = try world.trainer("run", on: context)
      try trainer.train()
      #expect(try TrainingState(restoring: whole, into: trainer.job.step).iteration == 2)
      for (number, damage) in Self.damages.enumerated() {
        let copy = world.path("copy\(number)")
        try FileManager.default.copyItem(atPath: whole, toPath: copy)
        let path = "\(copy)/\(damage.file)"
        try damage.apply(path)
        do {
          _ = try TrainingState(restoring: copy, into: trainer.job.step)
          Issue.record("\(damage.file) number \(number) \(damage.parts) was accepted")
        } catch {
          let text = line(of: error)
          #expect(!text.contains("\n") && text.contains(path), "\(text)")
          for part in damage.parts where !["F32", "I32"].contains(part) {
            #expect(text.contains(part), "\(text)")
          }
        }
      }
    }
  }

  @Test func anotherConfigurationIsRefused() throws {
    var world = try TrainingWorld()
    world.configuration.training.iterations = 2
    let whole = world.checkpoint("run", 2)
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context).train()
      let changes: [(String, (inout RunConfiguration) -> Void)] = [
        ("has shape", { $0.model.head.fcWidth = 16 }),
        ("there is no tensor", { $0.model.backbone.blocks = [2, 1, 1, 1] }),
        ("rows, the configuration allows 2", { $0.alignment.bagQueueLength = 2 }),
      ]
      for (number, change) in changes.enumerated() {
        var other = world
        change.1(&other.configuration)
        let step = try other.trainer("other\(number)", on: context).job.step
        do {
          _ = try TrainingState(restoring: whole, into: step)
          Issue.record("a checkpoint of another configuration was accepted")
        } catch {
          let text = line(of: error)
          #expect(text.contains(change.0) && text.contains(whole), "\(text)")
          #expect(text.contains("config") && !text.contains("\n"), "\(text)")
        }
      }
    }
  }
}
