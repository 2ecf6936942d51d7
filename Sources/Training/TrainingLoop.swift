import Distribution
import Evaluation
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Tensors

/// Trains: steps, log, checkpoints, evaluations, stopping and going on, whatever is trained.
package final class TrainingLoop<Job: TrainingJob> {
  /// What is trained.
  package let job: Job
  /// Folder and log, which rank 0 alone has.
  private let run: RunFolder?
  private let log: MetricLog?
  private let onEvent: (TrainingEvent) -> Void
  /// What ranks say to rank 0; nil where there is one.
  private let talk: RankTalk?
  /// How many iterations were done before.
  package let firstIteration: Int
  private var clock = StepClock()
  private var pending: (losses: PendingLosses, started: Double)?
  private var shouldStop: () -> Bool = { false }
  /// Whether any rank was asked to stop, as all know it.
  private var stops = false
  /// Where this rank was when the last step was logged.
  private var lastProgress = RankProgress.Moment()
  /// How many iterations would not be lost.
  private var saved: Int
  /// Why the last evaluation failed.
  private var failure: (any Error)?
  /// The first steps, which compile and reserve what all others need, until they have arrived.
  private var warmingUp: (activity: Int, left: Int)?

  /// Prepares a loop.
  ///
  /// - Parameters:
  ///   - job: What is trained.
  ///   - run: The run's folder; nil on ranks other than 0.
  ///   - checkpoint: Where the run goes on; nil starts with the job as it is. What rank 0 gives counts.
  ///   - talk: What carries warnings to rank 0; it has to see what happens by itself.
  ///   - onEvent: Gets what happens.
  /// - Throws: `CheckpointError` or `FormatError` when a file does not fit; ``TrainingError`` when the
  ///   checkpoint is of a later iteration than the last; `OpenCLError`.
  package init(
    _ job: Job, in run: RunFolder?, from checkpoint: CheckpointFolders.Checkpoint?,
    talk: RankTalk? = nil, onEvent: @escaping (TrainingEvent) -> Void
  ) throws {
    self.job = job
    self.run = run
    self.talk = talk
    self.onEvent = onEvent
    if try job.world.decided(checkpoint != nil, Exchange("whether the run goes on")) {
      let path = checkpoint?.path ?? ""
      let first = try Self.restore(job, path) { onEvent(.warning($0)) }
      guard first <= job.plan.iterations else {
        throw TrainingError.alreadyFurther(
          done: first, asked: job.plan.iterations, run: run?.path ?? path)
      }
      onEvent(.note("resuming at iteration \(first) from \(path)"))
      firstIteration = first
    } else {
      firstIteration = 0
    }
    // Without a step there is nothing to save.
    saved = firstIteration
    let first = firstIteration
    log = try run.map { run in
      try MetricLog(path: run.metricsPath, startingAt: first, warn: { onEvent(.warning($0)) })
    }
  }

  /// Restores a checkpoint that rank 0 sees.
  private static func restore(
    _ job: Job, _ path: String, warn: (String) -> Void
  ) throws -> Int {
    let carried = try CarriedCheckpoint(path, among: job.world)
    return try withExtendedLifetime(carried) { try job.restore(carried.path, warn: warn) }
  }

  /// The command that goes on with the run.
  private var continuation: String {
    "baron \(Job.command) --resume \(run.map { ShellWord.quoted($0.path) } ?? "RUN")"
  }

  /// Trains until the last iteration; evaluations that are missing are made up before.
  ///
  /// - Parameters:
  ///   - shouldStop: Asked before each step and during evaluations; true on any rank saves and stops.
  ///   - afterStep: Runs after each step, for the profiler.
  /// - Throws: ``TrainingError``, or what data, disk or device throw; the last checkpoint stays.
  package func train(
    shouldStop: () -> Bool = { false }, afterStep: (Int) throws -> Void = { _ in }
  ) throws {
    try withoutActuallyEscaping(shouldStop) { shouldStop in
      self.shouldStop = shouldStop
      defer { self.shouldStop = { false } }
      try trainStoppably(afterStep)
    }
  }

  private func trainStoppably(_ afterStep: (Int) throws -> Void) throws {
    let total = job.plan.iterations
    onEvent(.starting(at: firstIteration))
    try makeUpEvaluations()
    if firstIteration < total {
      try job.start(at: firstIteration)
      defer { job.stop() }
      warmingUp = (Activity.begin("making the first steps"), Self.warmingSteps)
      defer { if let warmingUp { Activity.end(warmingUp.activity) } }
      for iteration in firstIteration..<total {
        // Several ranks know it of each other from the step before.
        if job.world.size == 1 ? shouldStop() : stops { try stop(after: iteration) }
        try step(iteration)
        try afterStep(iteration)
        try milestone(iteration + 1)
      }
    } else {
      onEvent(.note("all \(total, "iteration") \(total.verb("is", "are")) done already"))
    }
    try carryMessages(total)
    for line in talk?.closing() ?? [] { onEvent(.note(line)) }
    if let failure {
      throw TrainingError.notEvaluated(
        iteration: total, reason: "\(failure)", continuation: continuation)
    }
  }

  private func step(_ iteration: Int) throws {
    let started = Self.now()
    let losses = try job.step(
      iteration, learningRate: Float(job.plan.schedule.rate(at: iteration))
    ) { onEvent(.warning($0)) }
    // The losses of the step before have arrived by now: nothing waits for them.
    try settle()
    pending = (losses, started)
  }

  /// Saves and ends the run.
  private func stop(after done: Int) throws -> Never {
    try settle()
    try save(done)
    throw TrainingError.interrupted(iteration: done, continuation: continuation)
  }

  /// Checkpoints and evaluates when it is time to.
  private func milestone(_ done: Int) throws {
    let plan = job.plan
    if plan.saves(after: done) {
      try settle()
      try save(done)
      try job.streams[0].library.storePrograms(whenEmpty: job.streams.map(\.queue)) {
        onEvent(.note($0))
      }
    }
    if done == plan.iterations { try finish() }
    if plan.evaluates(after: done) {
      try settle()
      // The best one can only be kept where there is one.
      if !plan.keepBest.isEmpty { try save(done) }
      try evaluate(done)
      try prune()
    }
  }

  private func finish() throws {
    if let run { try job.finish(in: run) { onEvent(.note($0)) } }
  }

  /// Logs the step whose losses are still on their way.
  private func settle() throws {
    guard let (losses, started) = pending else { return }
    pending = nil
    var scalars = try losses.scalars()
    var counts = losses.counts
    let time = clock.measure(
      started: started, waited: losses.dataWait, arrived: losses.arrival ?? Self.now())
    let ranks = job.world.size
    let agreement = try StepAgreement(
      &scalars, counts: &counts, time: time, stops: ranks > 1 && shouldStop(),
      hasMessages: talk?.isWaiting ?? false, among: job.world, iteration: losses.iteration)
    stops = agreement.stops
    if agreement.hasMessages { try carryMessages(losses.iteration) }
    talk?.see(step: losses.iteration, seconds: time.seconds, waitShare: time.waitShare)
    var measures = scalars.takeMeans(of: job.share.count, counts: counts)
    measures.merge(LossScaling.settle(&scalars)) { $1 }
    let bad = scalars.notFinite
    guard bad.isEmpty else {
      throw TrainingError.notFinite(
        iteration: losses.iteration, names: bad, run: run?.path ?? "RUN")
    }
    if ranks > 1 {
      measures.merge(agreement.measures) { $1 }
      measures.merge(exchangeShares(seconds: time.seconds)) { $1 }
    }
    let record = MetricRecord(
      iteration: losses.iteration, losses: scalars.losses,
      measures: measures.merging(job.measures(of: scalars)) { $1 },
      learningRate: Double(losses.learningRate), gradientNorm: scalars.gradientNorm,
      imagesPerSecond: Double(losses.imageCount * ranks) / time.seconds,
      dataWaitShare: agreement.waitShare,
      memoryPeak: job.streams.reduce(0) { $0 + $1.queue.pool.total.peak }, seconds: time.seconds)
    try log?.append(record)
    onEvent(.step(record))
    countWarmUp()
  }

  /// Tells on rank 0 what the others have to say.
  private func carryMessages(_ number: Int) throws {
    for line in try talk?.carry(to: run?.path, number: number) ?? [] { onEvent(.warning(line)) }
  }

  /// The share of a step that this rank waited for exchanges, and the share of the gradients' exchange
  /// that the computation has hidden.
  private func exchangeShares(seconds: Double) -> [String: Double] {
    let now = job.world.progress.now
    let statistics = Lane.statistics.rawValue
    defer { lastProgress = now }
    let stalled = now.stalled - lastProgress.stalled
    let exchanged = now.exchanged - lastProgress.exchanged
    let waited = now.waited[statistics] - lastProgress.waited[statistics] + stalled
    var shares = ["exchange_wait_share": seconds > 0 ? min(1, waited / seconds) : 0]
    if exchanged > 0 { shares["exchange_hidden_share"] = max(0, 1 - stalled / exchanged) }
    return shares
  }

  /// The second step still brings new kernels: it is the first that finds the queues filled.
  private static var warmingSteps: Int { 2 }

  private func countWarmUp() {
    guard let (activity, left) = warmingUp else { return }
    warmingUp = left > 1 ? (activity, left - 1) : nil
    if left == 1 { Activity.end(activity) }
  }

  private func save(_ done: Int) throws {
    guard saved != done else { return }
    // A checkpoint without the lines before it would leave a gap in the log.
    log?.sync()
    saved = done
    guard let run else { return try job.save(to: nil, iteration: done) }
    let checkpoint = try run.checkpoints.write(iteration: done) { folder in
      try job.save(to: folder, iteration: done)
    }
    try prune()
    onEvent(.checkpoint(checkpoint.path, iteration: done))
  }

  private func prune() throws {
    guard let run else { return }
    let plan = job.plan
    let best = plan.keepBest.isEmpty ? nil : run.scores.best(by: plan.keepBest)?.iteration
    try run.checkpoints.prune(keeping: plan.keepCheckpoints, and: best)
  }

  private static func now() -> Double { MonotonicClock.seconds }
}

extension TrainingLoop {
  /// Scores the model; what goes wrong costs the score and not the run.
  private func evaluate(_ done: Int) throws {
    failure = nil
    do {
      let score = try Activity.during("evaluating") {
        try job.evaluate(
          done, in: run,
          progress: {
            if try job.world.agreed(shouldStop(), Exchange("stop", done)) { throw Stop() }
            onEvent(.validating($0, of: $1))
          }, warn: { onEvent(.warning($0)) })
      }
      guard let score, let run else { return }
      try run.keep(score.json, of: done)
      try log?.append(evaluation: score.json, of: done)
      onEvent(.validated(score, iteration: done))
    } catch is Stop {
      try stop(after: done)
    } catch let error as WorldError {
      // Ranks that are no longer together cannot go on.
      throw error
    } catch {
      try save(done)
      failure = error
      // All ranks know it, and one tells.
      guard job.world.rank == 0 else { return }
      onEvent(
        .warning(
          "the evaluation after \(done, "iteration") failed: \(error); resuming the run makes it up"
        ))
    }
  }

  /// Ends an evaluation that the user does not want to wait for.
  private struct Stop: Error {}

  /// Makes up what an interruption or a failure kept from being done after the last steps.
  private func makeUpEvaluations() throws {
    let plan = job.plan
    guard firstIteration > 0 else { return }
    if firstIteration == plan.iterations { try finish() }
    var restored = firstIteration
    for done in 1...firstIteration where plan.evaluates(after: done) {
      if let scores = run?.scores(of: done) {
        if log?.hasEvaluation(of: done) == false { try log?.append(evaluation: scores, of: done) }
      }
      // Without its checkpoint nothing is left to be scored.
      let checkpoint =
        run?.scores(of: done) == nil ? run?.checkpoints.checkpoint(of: done) : nil
      guard try job.world.decided(checkpoint != nil, Exchange("evaluation", done)) else { continue }
      onEvent(.note("making up the evaluation after \(done, "iteration")"))
      if done != restored { restored = try Self.restore(job, checkpoint?.path ?? "") { _ in } }
      saved = restored
      try evaluate(done)
    }
    guard restored != firstIteration else { return }
    let newest = run?.checkpoints.checkpoint(of: firstIteration)
    guard try job.world.decided(newest != nil, Exchange("newest checkpoint")) else { return }
    saved = try Self.restore(job, newest?.path ?? "") { _ in }
  }
}
