import Foundation
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Optimiser steps")
struct OptimizerTests {
  /// Gradients side by side, with gaps between them, and what is left of each after clipping.
  static func clipped(
    _ gradients: [[Float]], norm limit: Float = .infinity, value: Float = .infinity,
    scaling: Tensor? = nil, patience: Int = 2000, on stream: ComputeStream
  ) throws -> (norm: Float, gradients: [[Float]]) {
    var (flat, ranges): ([Float], [Range<Int>]) = ([], [])
    for gradient in gradients {
      ranges.append(flat.count..<flat.count + gradient.count)
      flat += gradient + [.nan]
    }
    let arena = try Tensor(flat, shape: [flat.count], on: stream)
    let (norm, factor) = try Optimizers.norm(
      of: arena, blocks: GradientBlocks(ranges, on: stream), limit: limit, scaling: scaling,
      patience: patience)
    // With these settings the momentum is the gradient.
    let parameter = try Tensor(repeating: 0, shape: [flat.count], on: stream)
    let momentum = try Tensor(repeating: 0, shape: [flat.count], on: stream)
    for range in ranges {
      try Optimizers.sgd(
        parameter: parameter, gradient: arena, momentum: momentum, range: range,
        correction: GradientCorrection(factor: factor, limit: value), rate: 1, momentumFactor: 0,
        weightDecay: 0)
    }
    let (all, moved) = (try momentum.floats(), try parameter.floats())
    let isOpposite = zip(all, moved).allSatisfy { !$0.isFinite || $0 == -$1 }
    #expect(isOpposite)
    // What lies between the ranges is left alone.
    for range in ranges { #expect(all[range.upperBound] == 0 && moved[range.upperBound] == 0) }
    return (try norm.floats()[0], ranges.map { Array(all[$0]) })
  }

  @Test("norm and clipping against a double reference", arguments: TestDevice.families)
  func norm(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let sizes = [1, 0, 15, 16, 17, 16383, 16384, 16385, 127, 40000]
      let values = sizes.enumerated().map { randomFloats($1, seed: UInt64($0)) }
      let squares = values.joined().reduce(0.0) { $0 + Double($1) * Double($1) }
      for limit in [0.5, 1e9] {
        let (norm, after) = try Self.clipped(values, norm: Float(limit), on: stream)
        expectClose([norm], [squares.squareRoot()], "norm")
        let factor = min(1, limit / (squares.squareRoot() + 1e-6))
        for (gradient, before) in zip(after, values) {
          expectClose(
            gradient, before.map { factor * Double($0) }, absolute: 1e-7,
            "\(before.count) elements")
        }
      }
    }
  }

  @Test("NaN and infinite gradients show in the norm", arguments: TestDevice.families)
  func invalid(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [1, 20, 500] {
        var values = [Float](repeating: 1, count: count)
        values[count - 1] = .nan
        let broken = try Self.clipped([values], norm: 1, on: stream).norm
        #expect(broken.isNaN)
        values[count - 1] = .infinity
        let huge = try Self.clipped([values], norm: 1, on: stream).norm
        #expect(huge == .infinity)
      }
    }
  }

  @Test(
    "the loss scale is taken back, halved by overflow, doubled by patience",
    arguments: TestDevice.families)
  func scaling(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let scaling = try Tensor([8, 0] as [Float], shape: [2], on: stream)
      func step(_ values: [Float], limit: Float = .infinity) throws -> (Float, [Float]) {
        let (norm, after) = try Self.clipped(
          [values], norm: limit, scaling: scaling, patience: 3, on: stream)
        return (norm, after[0])
      }
      let first = try step([24, 32])
      #expect(first.0 == 5 && first.1 == [3, 4])
      #expect(try scaling.floats() == [8, 1])
      let (norm, after) = try step([24, 32], limit: 2.5)
      expectClose([norm] + after, [5, 1.5, 2], "limited")
      let overflow = try step([.infinity, 1])
      #expect(overflow.0 == .infinity && overflow.1 == [0, 0])
      #expect(try scaling.floats() == [4, 0])
      for _ in 0..<3 {
        let fine = try step([12, 16])
        #expect(fine.0 == 5 && fine.1 == [3, 4])
      }
      #expect(try scaling.floats() == [8, 0])
      let broken = try step([.nan, 1])
      #expect(broken.0.isNaN && broken.1 == [0, 0])
      #expect(try scaling.floats() == [4, 0])
    }
  }

  @Test("AdamW against a double reference", arguments: TestDevice.families)
  func adamW(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [0, 1, 17, 16385] {
        let start = randomFloats(count, seed: 1)
        let parameter = try Tensor(start, shape: [count], on: stream)
        let first = try Tensor(repeating: 0, shape: [count], on: stream)
        let second = try Tensor(repeating: 0, shape: [count], on: stream)
        var p = start.map { Double($0) }
        var (m, v) = (p.map { _ in 0.0 }, p.map { _ in 0.0 })
        for step in 1...3 {
          let gradient = randomFloats(count, seed: UInt64(10 + step))
          try Optimizers.adamW(
            parameter: parameter, gradient: try Tensor(gradient, shape: [count], on: stream),
            firstMoment: first, secondMoment: second, step: step, rate: 0.01, betas: (0.8, 0.95),
            epsilon: 1e-6, weightDecay: 0.1)
          for index in 0..<count {
            let g = Double(gradient[index])
            p[index] *= 1 - 0.01 * 0.1
            m[index] = 0.8 * m[index] + 0.2 * g
            v[index] = 0.95 * v[index] + 0.05 * g * g
            let corrected = (v[index] / (1 - pow(0.95, Double(step)))).squareRoot()
            p[index] -= 0.01 * m[index] / (1 - pow(0.8, Double(step))) / (corrected + 1e-6)
          }
        }
        expectClose(try parameter.floats(), p, "\(count) parameters")
        expectClose(try second.floats(), v, "second moments of \(count)")
      }
    }
  }
}

@Suite(
  "Optimiser steps against peers",
  .enabled(if: Fixture.available, "no fixtures: set BARON_FIXTURES or BARON_SHARED"))
struct OptimizerFixtureTests {
  @Test("gradient descent", arguments: TestDevice.families, Fixture.files("optim", prefix: "sgd"))
  func descent(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let rates = try #require(fixture.params["lr_per_step"]?.array).compactMap(\.number)
      let names = fixture.names.filter { $0.hasSuffix("_start") }.map { $0.dropLast(6) }
      #expect(!names.isEmpty && !rates.isEmpty)
      for name in names {
        let parameter = try fixture.tensor("\(name)_start", on: stream, channelsLast: false)
        let momentum = try Tensor(repeating: 0, shape: parameter.shape, on: stream)
        for (step, rate) in rates.enumerated() {
          try Optimizers.sgd(
            parameter: parameter,
            gradient: try fixture.tensor("\(name)_grad\(step)", on: stream, channelsLast: false),
            momentum: momentum, rate: Float(rate),
            momentumFactor: Float(try fixture.number("momentum")),
            weightDecay: Float(try fixture.number("weight_decay")))
          try fixture.expect(parameter, equals: "\(name)_after\(step)", channelsLast: false)
          try fixture.expect(momentum, equals: "\(name)_momentum\(step)", channelsLast: false)
        }
      }
    }
  }

  @Test("clipping", arguments: TestDevice.families, Fixture.files("optim", prefix: "clip"))
  func clipping(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      for group in ["norm_active", "norm_idle", "value"] {
        let inputs = fixture.names.filter { $0.hasPrefix("\(group)_in") }
        #expect(!inputs.isEmpty)
        let gradients = try inputs.map { input in
          try fixture.tensor(input, on: stream, channelsLast: false)
        }
        let isValue = group == "value"
        let (norm, after) = try OptimizerTests.clipped(
          gradients.map { try $0.floats() },
          norm: isValue ? .infinity : Float(try fixture.number("max_norm")),
          value: isValue ? Float(try fixture.number("clip_value")) : .infinity, on: stream)
        if !isValue {
          try fixture.expect(
            try Tensor([norm], shape: [], on: stream), equals: "\(group)_total_norm")
        }
        for (index, input) in inputs.enumerated() {
          let wanted = "\(group)_out" + input.dropFirst(group.count + 3)
          let got = try Tensor(after[index], shape: gradients[index].shape, on: stream)
          try fixture.expect(got, equals: wanted, channelsLast: false)
        }
      }
    }
  }
}
