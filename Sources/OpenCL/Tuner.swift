import Formats

/// Searches the fastest parameters of kernels among those that compute rightly.
///
/// It knows nothing of kernels: a subject says what to try next, and something measures it.
package struct Tuner {
  /// What parameters are searched for.
  package struct Subject: Sendable {
    /// Its name in records.
    package let name: String
    /// Calls in one step.
    package let calls: Int
    /// Seconds of those calls.
    package let seconds: Double

    package init(name: String, calls: Int, seconds: Double) {
      self.name = name
      self.calls = calls
      self.seconds = seconds
    }
  }

  /// What one set of parameters does.
  package struct Measurement: Sendable {
    /// Median seconds of a call.
    package let seconds: Double
    /// The largest error beside the sum of absolute products; NaN when a result is no number.
    package let error: Double

    package init(seconds: Double, error: Double) {
      self.seconds = seconds
      self.error = error
    }
  }

  /// Why a set of parameters was not measured to the end.
  package struct TooSlow: Error, CustomStringConvertible {
    /// Seconds that its first run took, with compiling.
    package let seconds: Double

    package init(seconds: Double) { self.seconds = seconds }

    /// One line.
    package var description: String {
      "its first run took \((10 * seconds).rounded() / 10) s, more than the limit"
    }
  }

  /// The largest error that is no fault.
  package let tolerance: Double
  /// What a score must be at least to replace the shipped parameters.
  package static let leastScore = 1.03

  package init(tolerance: Double) { self.tolerance = tolerance }

  /// Speed times accuracy beside the shipped parameters.
  ///
  /// `t0 / t * sqrt((1 - e / T) / (1 - e0 / T))` with seconds t, error e and tolerance T; the root
  /// counts only where e is larger than the shipped parameters' e0: greater accuracy is no gain.
  ///
  /// - Parameters:
  ///   - measurement: What was measured.
  ///   - shipped: The same of the shipped parameters.
  /// - Returns: 1 for the shipped parameters, nil for an error above the tolerance or no number.
  package func score(_ measurement: Measurement, shipped: Measurement) -> Double? {
    guard measurement.error <= tolerance else { return nil }
    let speed = shipped.seconds / measurement.seconds
    guard measurement.error > shipped.error else { return speed }
    let left = 1 - measurement.error / tolerance
    return speed * (left / (1 - shipped.error / tolerance)).squareRoot()
  }

  /// Searches one subject, stage by stage; each stage starts from the best of those before.
  ///
  /// A candidate that does not compile, run, keep the limit or compute rightly is recorded with the
  /// reason. The winner meets the shipped parameters again before it may replace them.
  ///
  /// - Parameters:
  ///   - subject: The subject.
  ///   - shipped: The shipped parameters, the first candidate.
  ///   - stages: Number of stages.
  ///   - candidates: The candidates of a stage, given the best parameters so far.
  ///   - measure: Compiles, checks and times parameters; the flag says whether they are the shipped
  ///     ones, which no limit rejects.
  /// - Returns: What was found; not accepted yet.
  package func search(
    _ subject: Subject, shipped: TuningRecord.Parameters, stages: Int,
    candidates: (Int, TuningRecord.Parameters) -> [TuningRecord.Parameters],
    measure: (_ parameters: TuningRecord.Parameters, _ isShipped: Bool) throws -> Measurement
  ) -> TuningRecord.Entry {
    var entry = TuningRecord.Entry()
    (entry.calls, entry.seconds) = (subject.calls, subject.seconds)
    let first = attempt(shipped, against: nil) { try measure(shipped, true) }
    entry.attempts = [first.attempt]
    guard let reference = first.measurement, first.attempt.score != nil else { return entry }
    var best = (parameters: shipped, score: 1.0)
    var now = reference
    for stage in 0..<stages {
      // The machine may be busier than a stage ago.
      if stage > 0, let again = try? measure(shipped, true) { now = again }
      for parameters in candidates(stage, best.parameters)
      where !entry.attempts.contains(where: { $0.parameters == parameters }) {
        let tried = attempt(parameters, against: now) { try measure(parameters, false) }
        entry.attempts.append(tried.attempt)
        if let score = tried.attempt.score, score > best.score { best = (parameters, score) }
      }
    }
    guard best.score >= Self.leastScore,
      let score = confirmed(best.parameters, shipped: shipped, measure), score >= Self.leastScore
    else { return entry }
    entry.parameters = best.parameters
    entry.score = min(score, best.score)
    return entry
  }

  /// The score of a winner that meets the shipped parameters again, in turn; the best time of each
  /// counts, as what else the machine does only adds to it.
  private func confirmed(
    _ parameters: TuningRecord.Parameters, shipped: TuningRecord.Parameters,
    _ measure: (_ parameters: TuningRecord.Parameters, _ isShipped: Bool) throws -> Measurement
  ) -> Double? {
    var pairs: [(before: Measurement, after: Measurement)] = []
    for _ in 0..<Self.confirmations {
      guard let before = try? measure(shipped, true), let after = try? measure(parameters, false)
      else { return nil }
      pairs.append((before, after))
    }
    func best(_ measurements: [Measurement]) -> Measurement {
      let errors = measurements.map(\.error)
      return Measurement(
        seconds: measurements.map(\.seconds).min() ?? .infinity,
        error: errors.contains { $0.isNaN } ? .nan : errors.max() ?? .nan)
    }
    return score(best(pairs.map(\.after)), shipped: best(pairs.map(\.before)))
  }

  private static let confirmations = 3

  private func attempt(
    _ parameters: TuningRecord.Parameters, against shipped: Measurement?,
    _ measure: () throws -> Measurement
  ) -> (attempt: TuningRecord.Attempt, measurement: Measurement?) {
    var attempt = TuningRecord.Attempt(parameters: parameters)
    do {
      let measurement = try measure()
      attempt.seconds = measurement.seconds
      attempt.error = measurement.error.isFinite ? measurement.error : nil
      attempt.score = score(measurement, shipped: shipped ?? measurement)
      if attempt.score == nil {
        attempt.rejection =
          measurement.error.isFinite
          ? "its error \(measurement.error) is above \(tolerance)" : "its results are no numbers"
      }
      return (attempt, measurement)
    } catch {
      attempt.rejection =
        TrialFault.line(error)
      return (attempt, nil)
    }
  }
}

extension Tuner {
  /// Searches subjects that a record lacks and saves after each.
  ///
  /// - Parameters:
  ///   - subjects: The subjects, the most important first.
  ///   - record: What is known already; grows.
  ///   - store: Where it is saved.
  ///   - shouldStop: Asked before each subject.
  ///   - progress: Gets how many subjects are done, and the latest with its entry.
  ///   - search: Searches one subject.
  /// - Returns: Whether all subjects are done.
  /// - Throws: `FormatError` when the record cannot be saved, or what `search` throws; what was
  ///   saved stays.
  package static func searchMissing(
    _ subjects: [Subject], in record: inout TuningRecord, store: TuningStore,
    shouldStop: () -> Bool = { false },
    progress: (_ done: Int, _ latest: Subject, _ entry: TuningRecord.Entry) -> Void = { _, _, _ in
    },
    search: (Subject) throws -> TuningRecord.Entry
  ) throws -> Bool {
    let missing = subjects.filter { record.entries[$0.name] == nil }
    var done = subjects.count - missing.count
    for subject in missing {
      if shouldStop() { return false }
      let entry = try search(subject)
      record.entries[subject.name] = entry
      try store.save(record)
      done += 1
      progress(done, subject, entry)
    }
    return true
  }
}
