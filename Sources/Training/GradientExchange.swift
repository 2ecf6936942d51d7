import Distribution
import Formats
import Foundation
import OpenCL
import Tensors

/// Adds up gradients of all processes on a thread of its own, beside the computation (spec distributed
/// 5).
///
/// The thread takes parts in the order in which they are added: it waits until the device has a part,
/// reads it, adds it up with those of the other processes, and starts to write it back.
final class GradientExchange {
  private let world: any World
  private let thread: ExchangeThread
  /// The arena whose parts are exchanged.
  private var gradients: Tensor?
  private var transfer: TransferQueue?

  /// Starts the thread.
  ///
  /// - Parameter world: The processes.
  init(_ world: any World) {
    self.world = world
    thread = ExchangeThread(world)
  }

  deinit { thread.stop() }

  /// Which parameters a gradient has reached in any process.
  ///
  /// - Parameters:
  ///   - reached: A flag for each parameter; changes in place.
  ///   - iteration: The step.
  /// - Throws: `WorldError`.
  func unite(_ reached: inout [Bool], iteration: Int) throws {
    var words = [UInt64](repeating: 0, count: reached.count.dividedUp(by: 64))
    for (index, isReached) in reached.enumerated() where isReached {
      words[index / 64] |= 1 << UInt64(index % 64)
    }
    try world.union(&words, Exchange("reached parameters", iteration))
    reached = reached.indices.map { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
  }

  /// Prepares to exchange parts of an arena.
  ///
  /// - Parameter gradients: The arena.
  /// - Throws: `OpenCLError`.
  func begin(_ gradients: Tensor) throws {
    if self.gradients?.buffer !== gradients.buffer {
      transfer = try TransferQueue(for: gradients.buffer, on: gradients.stream.queue.context)
    }
    self.gradients = gradients
  }

  /// Lets the thread add up a part of the arena, which the queue has computed by what is enqueued now.
  ///
  /// - Parameters:
  ///   - range: The elements.
  ///   - number: Which part it is, the same on every rank.
  /// - Throws: `OpenCLError`.
  func add(_ range: Range<Int>, number: Int) throws {
    guard let gradients, let transfer, !range.isEmpty else { return }
    let mark = try gradients.stream.queue.mark()
    mark.noteArrival()
    thread.add(
      .init(
        bytes: 4 * range.lowerBound..<4 * range.upperBound, number: number, mark: mark,
        transfer: transfer))
  }

  /// Waits until all parts are added up, and lets the queue wait until they are written back.
  ///
  /// - Throws: `WorldError` or `OpenCLError`.
  func finish() throws {
    let began = MonotonicClock.seconds
    guard let sums = try thread.finish() else { return }
    // While the device still computes, or the host has more for it, nothing waits for sums.
    let ready = max(began, sums.computed)
    world.progress.count(stalled: max(0, MonotonicClock.seconds - ready))
    if let mark = sums.mark { try gradients?.stream.queue.wait(for: mark) }
  }
}

/// The thread that exchanges parts of an arena.
final class ExchangeThread: @unchecked Sendable {
  // Sendable: the variables are touched while `condition` is locked only.

  /// A part that is to be exchanged.
  struct Part: Sendable {
    let bytes: Range<Int>
    let number: Int
    /// After which the device has it.
    let mark: QueueMark
    let transfer: TransferQueue
  }

  private let world: any World
  private let condition = NSCondition()
  private var parts: [Part] = []
  private var isBusy = false
  private var hasStopped = false
  private var error: (any Error)?
  private var last: Sums?

  /// Where the exchange of a part has come to.
  struct Sums: Sendable {
    /// When the device had computed the part, in seconds.
    let computed: Double
    /// After which it has the sums; nil of an empty part.
    let mark: QueueMark?
  }

  init(_ world: any World) {
    self.world = world
    let thread = Thread { [self] in while let part = next() { end(Result { try exchange(part) }) } }
    thread.name = "exchange"
    thread.start()
  }

  /// Appends a part.
  func add(_ part: Part) {
    condition.withLock {
      parts.append(part)
      condition.broadcast()
    }
  }

  /// Waits until all parts are exchanged.
  ///
  /// - Returns: The last part, after whose mark the device has all sums; nil without any.
  /// - Throws: What an exchange threw.
  func finish() throws -> Sums? {
    try condition.withLock {
      while error == nil, isBusy || !parts.isEmpty { condition.wait() }
      if let error { throw error }
      defer { last = nil }
      return last
    }
  }

  /// Ends the thread after the part that it has.
  func stop() {
    condition.withLock {
      hasStopped = true
      condition.broadcast()
    }
  }

  private func next() -> Part? {
    condition.withLock {
      while parts.isEmpty, !hasStopped { condition.wait() }
      guard !hasStopped else { return nil }
      isBusy = true
      return parts.removeFirst()
    }
  }

  private func exchange(_ part: Part) throws -> Sums {
    try part.transfer.wait(for: part.mark)
    let began = MonotonicClock.seconds
    defer { world.progress.count(exchanged: MonotonicClock.seconds - began) }
    try part.transfer.read(part.bytes)
    let memory = UnsafeMutableRawBufferPointer(rebasing: part.transfer.memory[part.bytes])
    try world.sum(
      memory.bindMemory(to: Float.self), Exchange("gradients of bucket", part.number),
      on: .gradients)
    let mark = try part.transfer.write(part.bytes)
    return Sums(computed: part.mark.arrival ?? began, mark: mark)
  }

  private func end(_ result: Result<Sums, any Error>) {
    condition.withLock {
      isBusy = false
      switch result {
      case .success(let new): last = new
      // The others wait in vain for what comes after it, until this process ends.
      case .failure(let new):
        error = error ?? new
        parts = []
      }
      condition.broadcast()
    }
  }
}
