import Formats
import Foundation
import OpenCL
import Reporting
import Tensors

/// Searches kernel parameters for one configuration's training step.
package struct TuningSession {
  /// How far a search goes.
  package struct Limits {
    /// Seconds that the first run of a candidate, with compiling, may take.
    let candidateSeconds: Double
    /// Seconds after which no new search starts; nil for no end.
    let searchSeconds: Double?
    /// Classes of products at most.
    let classes: Int
    /// The share of the products' time that is searched, from 0 to 1.
    let share: Double
    /// Rounds of the final comparison, of each kind.
    let rounds: Int
    /// Measured steps of a round.
    let steps: Int

    package init(
      candidateSeconds: Double, searchSeconds: Double?, classes: Int, share: Double, rounds: Int,
      steps: Int
    ) {
      self.candidateSeconds = candidateSeconds
      self.searchSeconds = searchSeconds
      self.classes = classes
      self.share = share
      self.rounds = rounds
      self.steps = steps
    }
  }

  /// What came of it.
  package struct Outcome {
    package let record: TuningRecord
    /// The products of a step, the largest share of time first.
    package let uses: [MatrixRecorder.Use]
    /// How many of them were searched, now or earlier.
    package let searched: Int
    /// Whether time ran out before all were.
    package let isPartial: Bool
    /// Whole steps; nil when no class has parameters better than the shipped ones.
    package let comparison: TuningRecord.Comparison?
  }

  let training: StepRunner
  /// What the comparison is called in the record.
  let name: String
  let context: Context
  let store: TuningStore
  let limits: Limits
  /// Gets one line about what happens.
  let note: (String) -> Void

  package init(
    training: StepRunner, name: String, context: Context, store: TuningStore,
    limits: Limits, note: @escaping (String) -> Void
  ) {
    self.training = training
    self.name = name
    self.context = context
    self.store = store
    self.limits = limits
    self.note = note
  }

  /// Records, searches what is not known yet, compares and decides.
  ///
  /// - Parameters:
  ///   - record: What is known already.
  ///   - again: Whether to forget what is known of this configuration's products.
  /// - Returns: The outcome; saved.
  /// - Throws: What training, the device or the store throw; what was saved stays.
  package func run(_ record: TuningRecord, again: Bool) throws -> Outcome {
    var record = record
    context.tuning = nil
    note("recording the matrix products of a step")
    let uses = try self.uses()
    let chosen = chosen(uses, before: again ? [] : record.searches[name] ?? [])
    record.searches[name] = chosen.map(\.shape.name)
    let total = uses.reduce(0) { $0 + $1.seconds }
    let covered = chosen.reduce(0) { $0 + $1.seconds }
    note(
      String(
        format: "%d classes of products, %.1f ms of a step; searching %d that take %.0f %%",
        uses.count, 1e3 * total, chosen.count, 100 * covered / max(total, 1e-9)))
    if again { for use in chosen { record.entries[use.shape.name] = nil } }
    let isComplete = try search(chosen, &record)
    let names = chosen.map(\.shape.name)
    let comparison = try compare(names, &record)
    record.comparisons[name] = comparison
    record.decide(names, isAccepted: comparison?.isWon ?? false)
    try store.save(record)
    return Outcome(
      record: record, uses: uses, searched: names.count { record.entries[$0] != nil },
      isPartial: !isComplete, comparison: comparison)
  }

  /// The products of the second step: the first one compiles.
  private func uses() throws -> [MatrixRecorder.Use] {
    let recorder = MatrixRecorder()
    try training.run(on: context, steps: 2) { parts, done in
      try parts.finish()
      for stream in parts.streams { stream.matrix.recorder = done == 1 ? recorder : nil }
      // What was compiled serves the search and the comparison.
      parts.library.storePrograms()
    }
    return recorder.uses
  }

  /// The products that are searched: those that an earlier call chose, then those with the largest
  /// share of time.
  private func chosen(
    _ uses: [MatrixRecorder.Use], before: [String]
  ) -> [MatrixRecorder.Use] {
    let wanted = limits.share * uses.reduce(0) { $0 + $1.seconds }
    let names = Set(before)
    let ordered =
      uses.filter { names.contains($0.shape.name) }
      + uses.filter { !names.contains($0.shape.name) }
    var chosen: [MatrixRecorder.Use] = []
    var sum = 0.0
    for use in ordered.prefix(limits.classes) where sum < wanted {
      chosen.append(use)
      sum += use.seconds
    }
    return chosen
  }

  private func search(_ uses: [MatrixRecorder.Use], _ record: inout TuningRecord) throws -> Bool {
    let known = uses.count { record.entries[$0.shape.name] != nil }
    let line = ProgressLine(
      label: "tune", total: uses.count, start: known, interval: .steps(1))
    defer { line.finish() }
    if known > 0 { line.note("\(known) of them are known already") }
    let byName = Dictionary(uses.map { ($0.shape.name, $0) }) { first, _ in first }
    let tuning = MatrixTuning(context: context, limit: limits.candidateSeconds)
    let begin = MonotonicClock.seconds
    return try Tuner.searchMissing(
      uses.map(\.subject), in: &record, store: store,
      shouldStop: {
        limits.searchSeconds.map { MonotonicClock.seconds - begin >= $0 } ?? false
      },
      progress: { done, subject, entry in
        if let text = Self.improvement(subject, entry) { line.note(text) }
        line.update(step: done)
      },
      search: { subject in
        guard let use = byName[subject.name] else { return TuningRecord.Entry() }
        return try tuning.search(use)
      })
  }

  private static func improvement(_ subject: Tuner.Subject, _ entry: TuningRecord.Entry) -> String?
  {
    guard let parameters = entry.parameters else { return nil }
    let changed = parameters.filter { entry.attempts.first?.parameters[$0.key] != $0.value }
    let list = changed.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return String(format: "x%.2f  ", entry.score) + "\(subject.name): "
      + list.joined(separator: " ")
  }

  /// Times whole steps with the shipped parameters and with those found for the named classes.
  ///
  /// All rounds train from the same start on the same pictures, in turn with the one and the other;
  /// the first two steps of each compile or load programs and do not count, nor does a first round
  /// of each, which meets the classes that later steps have.
  private func compare(
    _ names: [String], _ record: inout TuningRecord
  ) throws -> TuningRecord.Comparison? {
    let found = names.reduce(into: [:]) { $0[$1] = record.entries[$1]?.parameters }
    guard !found.isEmpty else { return nil }
    note("comparing whole steps with the shipped parameters and with those found")
    let table = TuningTable(found)
    defer { context.tuning = nil }
    func round(_ tuning: TuningTable?, steps: Int) throws -> Double {
      context.tuning = tuning
      var begin = MonotonicClock.seconds
      var seconds = 0.0
      try training.run(on: context, steps: steps + 2) { parts, done in
        try parts.finish()
        if done == 2 {
          parts.library.storePrograms()
          begin = MonotonicClock.seconds
        }
        if done == steps + 2 { seconds = MonotonicClock.seconds - begin }
      }
      return seconds / Double(max(1, steps))
    }
    // Compile what the search did not keep.
    _ = try round(table, steps: limits.steps)
    _ = try round(nil, steps: limits.steps)
    var (shipped, tuned): ([Double], [Double]) = ([], [])
    for index in 0..<limits.rounds {
      // The first of two finds a cooler device; so they take turns.
      let tunedFirst = index % 2 == 1
      if tunedFirst { tuned.append(try round(table, steps: limits.steps)) }
      shipped.append(try round(nil, steps: limits.steps))
      if !tunedFirst { tuned.append(try round(table, steps: limits.steps)) }
    }
    return TuningRecord.Comparison(shipped: shipped, tuned: tuned)
  }
}
