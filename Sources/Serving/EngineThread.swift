import CLIP
import Formats
import Foundation
import Synchronization

/// The one thread that the device is used from, with a queue before it that has an end.
final class EngineThread: Sendable {
  private enum Job: Sendable {
    case detect(
      Engine.Task, deadline: Double, @Sendable (Result<Engine.Found, Engine.Failure>) -> Void)
    case embed(
      [String], deadline: Double, @Sendable (Result<EmbeddingMatrix, Engine.Failure>) -> Void)
  }

  private struct State {
    var jobs: [Job] = []
    var isStopping = false
    var seen: Set<String> = []
    var fill = Engine.Fill()
    /// Seconds that a job took of late.
    var pace = 0.1
  }

  /// Pictures that pass the backbone together.
  private static let batch = 4
  /// Most pixels of them: what a large picture takes leaves no room for another.
  private static let batchPixels = 4_000_000

  private let limits: ServerLimits
  private let metrics: ServerMetrics
  private let state = Mutex(State())
  private let work = DispatchSemaphore(value: 0)

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - limits: The length of the queue, and how long a job may wait.
  ///   - metrics: Gets the device's time.
  ///   - make: Makes the engine, on the thread.
  /// - Throws: What `make` throws.
  init(
    limits: ServerLimits, metrics: ServerMetrics, make: @escaping @Sendable () throws -> Engine
  ) throws {
    self.limits = limits
    self.metrics = metrics
    let box = StartBox()
    let thread = Thread { [self] in run(make, box) }
    thread.stackSize = 8 << 20
    thread.start()
    try box.outcome()
  }

  /// How many jobs wait.
  var queueLength: Int { state.withLock { $0.jobs.count } }

  /// What the caches hold.
  var fill: Engine.Fill { state.withLock { $0.fill } }

  /// Whether a picture has been seen, so that it need not be decoded.
  func hasSeen(_ digest: String) -> Bool { state.withLock { $0.seen.contains(digest) } }

  /// Finds objects.
  ///
  /// - Parameter task: The request.
  /// - Throws: ``Engine/Failure``; a fault with 503 when too many wait or it waited too long.
  func detect(_ task: Engine.Task) async throws -> Engine.Found {
    try await submit { .detect(task, deadline: $0, $1) }
  }

  /// Embeds words.
  ///
  /// - Parameter words: The words.
  /// - Throws: As ``detect(_:)``.
  func embed(_ words: [String]) async throws -> EmbeddingMatrix {
    try await submit { .embed(words, deadline: $0, $1) }
  }

  /// Ends the thread after what is queued.
  func stop() {
    state.withLock { $0.isStopping = true }
    work.signal()
  }

  private func submit<Value: Sendable>(
    _ job: (Double, @escaping @Sendable (Result<Value, Engine.Failure>) -> Void) -> Job
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let job = job(MonotonicClock.seconds + limits.seconds) { result in
        continuation.resume(with: result.mapError { $0 as any Error })
      }
      let refusal = state.withLock { state -> HTTPFault? in
        guard state.jobs.count < limits.queue else {
          let wait = Int((state.pace * Double(state.jobs.count)).rounded(.up))
          return HTTPFault(
            .unavailable,
            "\(state.jobs.count, "request") \(state.jobs.count.verb("is", "are")) waiting "
              + "already; ask again later",
            retryAfter: max(1, wait))
        }
        state.jobs.append(job)
        return nil
      }
      if let refusal {
        metrics.add(to: .refused)
        continuation.resume(throwing: Engine.Failure.fault(refusal))
      } else {
        work.signal()
      }
    }
  }

  // On the thread from here on.

  private func run(_ make: () throws -> Engine, _ box: StartBox) {
    let engine: Engine
    do {
      engine = try make()
      box.set(.success(()))
    } catch {
      box.set(.failure(error))
      return
    }
    while true {
      work.wait()
      let jobs = take()
      if jobs.isEmpty {
        if state.withLock({ $0.isStopping && $0.jobs.isEmpty }) { return }
        continue
      }
      let began = MonotonicClock.seconds
      answer(jobs, by: engine)
      let seconds = MonotonicClock.seconds - began
      metrics.add(seconds, to: .deviceSeconds)
      state.withLock { state in
        state.pace += 0.2 * (seconds / Double(jobs.count) - state.pace)
        state.seen = engine.seenDigests
        state.fill = engine.fill
      }
    }
  }

  /// The next job, with the detections behind it that may go with it.
  private func take() -> [Job] {
    state.withLock { state in
      var taken: [Job] = []
      var pixels = 0
      while let job = state.jobs.first, taken.count < Self.batch {
        guard case .detect(let task, _, _) = job else {
          if taken.isEmpty { taken.append(state.jobs.removeFirst()) }
          break
        }
        pixels += task.picture.map { $0.image.width * $0.image.height } ?? 0
        guard taken.isEmpty || pixels <= Self.batchPixels else { break }
        taken.append(state.jobs.removeFirst())
      }
      return taken
    }
  }

  private func answer(_ jobs: [Job], by engine: Engine) {
    let late = Engine.Failure.fault(
      HTTPFault(
        .unavailable, "the request waited \(limits.seconds) seconds for the device", retryAfter: 1))
    let now = MonotonicClock.seconds
    var tasks: [Engine.Task] = []
    var receivers: [@Sendable (Result<Engine.Found, Engine.Failure>) -> Void] = []
    for job in jobs {
      switch job {
      case .detect(_, let deadline, let receive) where deadline < now: receive(.failure(late))
      case .embed(_, let deadline, let receive) where deadline < now: receive(.failure(late))
      case .detect(let task, _, let receive):
        tasks.append(task)
        receivers.append(receive)
      case .embed(let words, _, let receive): receive(engine.embed(words))
      }
    }
    for (receive, result) in zip(receivers, engine.answer(tasks)) { receive(result) }
  }
}

/// How the start of a thread is told to whom waits for it.
private final class StartBox: Sendable {
  private let result = Mutex<Result<Void, any Error>>(.success(()))
  private let ready = DispatchSemaphore(value: 0)

  func set(_ outcome: Result<Void, any Error>) {
    result.withLock { $0 = outcome }
    ready.signal()
  }

  func outcome() throws {
    ready.wait()
    try result.withLock { $0 }.get()
  }
}
