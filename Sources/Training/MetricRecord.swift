import Formats
import Foundation

/// What one iteration measured.
package struct MetricRecord: Sendable, Equatable {
  /// The iteration, counted from 0.
  package var iteration: Int
  /// Weighted losses by name, for example `loss_bag`; not a number where there was none.
  package var losses: [String: Double]
  /// Other measures by name: counts of bags, fill of queues, average precision.
  package var measures: [String: Double]
  /// The learning rate of the step.
  package var learningRate: Double
  /// Length of all gradients together, before they were bounded (L2).
  package var gradientNorm: Double
  /// Images of both kinds per second.
  package var imagesPerSecond: Double
  /// Share of the time spent waiting for data, in 0...1.
  package var dataWaitShare: Double
  /// Largest amount of device memory in use so far, in bytes.
  package var memoryPeak: Int
  /// Time of the iteration in seconds.
  package var seconds: Double

  package init(
    iteration: Int, losses: [String: Double], measures: [String: Double] = [:],
    learningRate: Double, gradientNorm: Double, imagesPerSecond: Double, dataWaitShare: Double,
    memoryPeak: Int, seconds: Double
  ) {
    self.iteration = iteration
    self.losses = losses
    self.measures = measures
    self.learningRate = learningRate
    self.gradientNorm = gradientNorm
    self.imagesPerSecond = imagesPerSecond
    self.dataWaitShare = dataWaitShare
    self.memoryPeak = memoryPeak
    self.seconds = seconds
  }

  /// The sum of all losses.
  package var totalLoss: Double { losses.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value } }
}

extension MetricRecord {
  /// The line as JSON; what is not a number becomes null.
  var json: JSONValue {
    [
      "iteration": .number(Double(iteration)),
      "losses": .object(losses.mapValues { .number($0) }),
      "measures": .object(measures.mapValues { .number($0) }),
      "learning_rate": .number(learningRate), "gradient_norm": .number(gradientNorm),
      "images_per_second": .number(imagesPerSecond), "data_wait_share": .number(dataWaitShare),
      "memory_peak_bytes": .number(Double(memoryPeak)), "seconds": .number(seconds),
    ]
  }

  /// Reads a line.
  init(_ json: JSONValue, source: String, place: String) throws {
    func number(_ value: JSONValue?, _ key: String) throws -> Double {
      if value == .null { return .nan }
      guard let number = value?.number else {
        throw FormatError(source, place: place, "\(key) is missing or not a number")
      }
      return number
    }
    func field(_ key: String) throws -> Double { try number(json[key], key) }
    func numbers(_ key: String) throws -> [String: Double] {
      guard let members = json[key]?.object else {
        throw FormatError(source, place: place, "\(key) is missing or no object")
      }
      return try Dictionary(
        uniqueKeysWithValues: members.map { ($0.key, try number($0.value, "\(key).\($0.key)")) })
    }
    guard let iteration = json["iteration"]?.integer else {
      throw FormatError(source, place: place, "iteration is missing or not a whole number")
    }
    self.init(
      iteration: iteration, losses: try numbers("losses"), measures: try numbers("measures"),
      learningRate: try field("learning_rate"), gradientNorm: try field("gradient_norm"),
      imagesPerSecond: try field("images_per_second"),
      dataWaitShare: try field("data_wait_share"),
      memoryPeak: Int(exactly: try field("memory_peak_bytes")) ?? 0,
      seconds: try field("seconds"))
  }
}
