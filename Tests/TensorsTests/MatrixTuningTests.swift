import KernelLibrary
import OpenCL
import TestSupport
import Testing

@testable import Tensors

@Suite("Tuned matrix products")
struct MatrixTuningTests {
  /// Records the products of a computation.
  private func record(
    on stream: ComputeStream, _ body: () throws -> Void
  ) throws -> [MatrixRecorder.Use] {
    let recorder = MatrixRecorder()
    stream.matrix.recorder = recorder
    defer { stream.matrix.recorder = nil }
    try body()
    return recorder.uses
  }

  /// Every layout: products of all transposes, a batch, a linear layer, convolutions whose
  /// gradients gather, scatter and add, with edges everywhere.
  private func layouts(on stream: ComputeStream) throws -> [MatrixRecorder.Use] {
    try record(on: stream) {
      let product = MatrixProductTests.Sizes(batch: 1, rows: 131, columns: 67, depth: 301)
      for transposes in 0..<4 {
        try MatrixProductTests().check(
          product, transposes & 1 != 0, transposes & 2 != 0, on: stream)
      }
      try MatrixProductTests().check(
        .init(batch: 3, rows: 20, columns: 36, depth: 68), false, true, on: stream)
      for form in [
        ConvolutionTests.Case([2, 9, 8, 20], to: 12, kernel: [3, 3], padding: 1),
        ConvolutionTests.Case([1, 9, 8, 5], to: 7, kernel: [3, 3], stride: 2, padding: 1),
      ] {
        try ConvolutionTests().check(form, on: stream)
      }
      if stream.family == .cpu {
        try ConvolutionTests().check(
          ConvolutionTests.Case([2, 18, 17, 64], to: 64, kernel: [3, 3], padding: 1), on: stream)
      }
    }
  }

  /// Every candidate of every stage that starts from the shipped choice.
  private func candidates(_ choices: MatrixChoices) -> [[String: Int]] {
    let shipped = choices.shipped
    return [shipped]
      + (0..<MatrixChoices.stages).flatMap { choices.candidates(stage: $0, best: shipped) }
  }

  @Test("every candidate computes every layout as float64 does", arguments: TestDevice.families)
  func candidates(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let uses = try layouts(on: stream)
      #expect(uses.count > 10)
      var tried = 0
      for (number, use) in uses.enumerated() {
        let trial = try MatrixTrial(use.example, on: stream, with: nil)
        // Most of the time goes into compiling: each layout gets every fourth, or sixth for GPUs.
        for (index, choice) in candidates(trial.choices).enumerated()
        where (index + number) % (family == .cpu ? 4 : 6) == 0 {
          let found = try trial.measure(choice, limit: 1e-9, isShipped: true)
          #expect(found.error <= MatrixTuning.tolerance, "\(use.shape.name) \(choice)")
          tried += 1
        }
      }
      #expect(tried > (family == .cpu ? 30 : 12), "\(tried) candidates")
    }
  }

  @Test("every candidate of the tensor cores, emulated")
  func tensorCores() throws {
    let cores = TensorCores(precision: .tf32x3, isEmulated: true)
    try TestDevice.withStream(.generic) { stream in
      stream.matrix.tensorCores = TensorCores(
        precision: .tf32x3, tiles: WarpTile.all.suffix(1), isEmulated: true)
      defer { stream.matrix.tensorCores = nil }
      let uses = try record(on: stream) {
        try MatrixProductTests().check(
          .init(batch: 1, rows: 131, columns: 72, depth: 300), false, true, on: stream)
        try ConvolutionTests().check(
          ConvolutionTests.Case([1, 9, 8, 5], to: 7, kernel: [3, 3], stride: 2, padding: 1),
          on: stream)
      }
      var names: Set<String> = []
      // The emulation is slow, and most of a candidate's time is compiling.
      for use in uses.prefix(4) {
        let trial = try MatrixTrial(use.example, on: stream, with: cores)
        for choice in candidates(trial.choices) {
          let found = try trial.measure(choice, limit: 1e-9, isShipped: true)
          #expect(found.error <= cores.tolerance, "\(use.shape.name) \(choice)")
          names.insert("\(choice)")
        }
      }
      #expect(names.count > 10)
    }
  }

  @Test("a candidate that computes wrong is rejected, however fast it is")
  func wrong() throws {
    try TestDevice.withStream { stream in
      let uses = try record(on: stream) {
        try MatrixProductTests().check(
          .init(batch: 1, rows: 300, columns: 40, depth: 500), false, false, on: stream)
      }
      let use = try #require(uses.first)
      let trial = try MatrixTrial(use.example, on: stream, with: nil)
      trial.tamper = { choice, target in
        guard choice != trial.choices.shipped else { return }
        try stream.queue.fill(target, pattern: 0x3F80_0000)
      }
      let search = MatrixTuning(context: stream.queue.context, limit: 60)
      let entry = search.search(use.subject, by: trial, tolerance: MatrixTuning.tolerance)
      #expect(entry.parameters == nil && entry.attempts.count > 1)
      #expect(entry.attempts[0].score == 1)
      for attempt in entry.attempts.dropFirst() {
        #expect(attempt.rejection?.contains("is above 4e-06") ?? false, "\(attempt)")
      }
      // The same with no time to compile.
      trial.tamper = nil
      let hasty = MatrixTuning(context: stream.queue.context, limit: 0)
        .search(use.subject, by: trial, tolerance: MatrixTuning.tolerance)
      #expect(hasty.attempts[0].score == 1)
      #expect(hasty.attempts.dropFirst().allSatisfy { $0.rejection?.contains("limit") ?? false })
    }
  }

  @Test("a table changes the plan of its class of products, and only of that")
  func lookup() throws {
    try TestDevice.withContext { context in
      let stream = try ComputeStream(context: context)
      let sizes = MatrixProductTests.Sizes(batch: 1, rows: 131, columns: 67, depth: 2101)
      let uses = try record(on: stream) {
        try MatrixProductTests().check(sizes, false, false, on: stream)
      }
      let trials = try uses.map {
        try MatrixTrial($0.example, on: stream, with: stream.matrix.tensorCores)
      }
      for (use, trial) in zip(uses, trials) {
        let other = try #require(
          (0..<MatrixChoices.stages).flatMap {
            trial.choices.candidates(stage: $0, best: trial.choices.shipped)
          }.last, "\(use.shape.name)")
        context.tuning = TuningTable([use.shape.name: other])
        #expect(trial.plan.choice == other)
        for unknown in trials where unknown !== trial {
          #expect(unknown.plan.choice == unknown.choices.shipped)
        }
        // The table is in use while results are compared with float64.
        for transposes in 0..<4 {
          try MatrixProductTests().check(
            sizes, transposes & 1 != 0, transposes & 2 != 0, on: stream)
        }
        context.tuning = nil
        #expect(trial.plan.choice == trial.choices.shipped)
      }
    }
  }

  @Test("parameters that the kernel does not take are not used", arguments: TestDevice.families)
  func illegal(family: DeviceFamily) throws {
    try TestDevice.withContext { shared in
      let context = try Context(device: shared.device, family: family)
      let stream = try ComputeStream(context: context)
      let uses = try record(on: stream) {
        try MatrixProductTests().check(
          .init(batch: 1, rows: 40, columns: 40, depth: 40), false, false, on: stream)
      }
      for use in uses {
        let trial = try MatrixTrial(use.example, on: stream, with: nil)
        let shipped = trial.choices.shipped
        #expect(trial.choices.isLegal(shipped))
        for key in shipped.keys {
          for value in [0, -1, 1 << 40] {
            let wrong = shipped.merging([key: value]) { $1 }
            #expect(!trial.choices.isLegal(wrong), "\(wrong)")
            context.tuning = TuningTable([use.shape.name: wrong])
            #expect(trial.plan.choice == shipped)
          }
          #expect(!trial.choices.isLegal(shipped.filter { $0.key != key }) || shipped.count == 1)
        }
        #expect(!trial.choices.isLegal(shipped.merging(["MORE": 1]) { $1 }))
        if family == .cpu {
          for (key, value) in [("MR", 5), ("NV", 5), ("KC", 100), ("NC", 33), ("ROW_BLOCK", 100)] {
            #expect(!trial.choices.isLegal(shipped.merging([key: value]) { $1 }), "\(key)")
          }
        }
      }
    }
  }

  @Test("classes: numbers of rows and depths share one where they are near")
  func classes() {
    #expect(
      [1, 63, 64, 65, 79, 80, 100, 127, 128, 2304, 2559].map(MatrixShape.rounded)
        == [1, 63, 64, 64, 64, 80, 96, 112, 128, 2048, 2048])
  }

  @Test("the recorder counts and times calls by class")
  func recorder() throws {
    try TestDevice.withStream { stream in
      let uses = try record(on: stream) {
        let x = try Tensor(randomFloats(70 * 8, seed: 1), shape: [70, 8], on: stream)
        let y = try Tensor(randomFloats(75 * 8, seed: 2), shape: [75, 8], on: stream)
        for _ in 0..<3 { _ = try x.matrixProduct(x, transposeRight: true) }
        _ = try y.matrixProduct(x, transposeRight: true)
        _ = try x.matrixProduct(x, transposeLeft: true)
      }
      #expect(uses.map(\.calls).sorted() == [1, 4])
      #expect(uses.allSatisfy { $0.seconds > 0 && $0.subject.name == $0.shape.name })
      #expect(uses.map(\.seconds) == uses.map(\.seconds).sorted(by: >))
      #expect(Set(uses.map(\.shape.name)).count == 2)
    }
  }
}
