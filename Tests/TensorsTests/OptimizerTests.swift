import Foundation
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Optimiser steps")
struct OptimizerTests {
  @Test("norm and clipping against a double reference", arguments: TestDevice.families)
  func norm(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let sizes = [1, 0, 15, 16, 17, 16383, 16384, 16385, 127, 40000]
      let values = sizes.enumerated().map { randomFloats($1, seed: UInt64($0)) }
      let squares = values.joined().reduce(0.0) { $0 + Double($1) * Double($1) }
      for limit in [0.5, 1e9] {
        let gradients = try values.map { try Tensor($0, shape: [$0.count], on: stream) }
        let norm = try Optimizers.clip(gradients: gradients, toNorm: Float(limit))
        expectClose(try norm.floats(), [squares.squareRoot()], "norm")
        let factor = min(1, limit / (squares.squareRoot() + 1e-6))
        for (gradient, before) in zip(gradients, values) {
          expectClose(
            try gradient.floats(), before.map { factor * Double($0) }, absolute: 1e-7,
            "\(before.count) elements")
        }
      }
    }
  }

  @Test("gradients that share storage are scaled once", arguments: TestDevice.families)
  func shared(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let a = try Tensor([1, 1] as [Float], shape: [2], on: stream).trained("a")
      let b = try Tensor([1, 1] as [Float], shape: [2], on: stream).trained("b")
      try a.adding(b).backward(from: try Tensor([3, 4] as [Float], shape: [2], on: stream))
      let gradients = [a, b].compactMap(\.gradient)
      let norm = try Optimizers.clip(gradients: gradients, toNorm: 1)
      let length = 50.0.squareRoot()
      expectClose(try norm.floats(), [length], "norm")
      for gradient in gradients {
        expectClose(try gradient.floats(), [3 / length, 4 / length], "clipped")
      }
    }
  }

  @Test("NaN and infinite gradients show in the norm", arguments: TestDevice.families)
  func invalid(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [1, 20, 500] {
        var values = [Float](repeating: 1, count: count)
        values[count - 1] = .nan
        let broken = try Tensor(values, shape: [count], on: stream)
        #expect(
          try Optimizers.clip(gradients: [broken], toNorm: 1).floats().allSatisfy(\.isNaN))
        values[count - 1] = .infinity
        let huge = try Tensor(values, shape: [count], on: stream)
        #expect(try Optimizers.clip(gradients: [huge], toNorm: 1).floats() == [.infinity])
      }
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
        let gradients = try inputs.map {
          try fixture.tensor($0, on: stream, channelsLast: false)
        }
        if group == "value" {
          try Optimizers.clip(
            gradients: gradients, toValue: Float(try fixture.number("clip_value")))
        } else {
          let norm = try Optimizers.clip(
            gradients: gradients, toNorm: Float(try fixture.number("max_norm")))
          try fixture.expect(norm, equals: "\(group)_total_norm")
        }
        for (input, gradient) in zip(inputs, gradients) {
          let wanted = "\(group)_out" + input.dropFirst(group.count + 3)
          try fixture.expect(gradient, equals: wanted, channelsLast: false)
        }
      }
    }
  }
}
