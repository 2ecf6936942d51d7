import Foundation

/// Three steps of a row of pieces, done side by side: while one piece is worked on, the next is read
/// and the one before is finished.
package enum Overlap {
  /// Does all pieces, in order.
  ///
  /// At most five pieces are in memory: one in each step and one between two. When a step throws, no
  /// further piece is read and the others end with the piece that they have.
  ///
  /// - Parameters:
  ///   - read: Gives the next piece, or nil at the end; runs on a thread of its own.
  ///   - work: Works on a piece; runs on the caller's thread.
  ///   - finish: Ends a piece; runs on a thread of its own.
  /// - Throws: What the steps throw; of several errors that of the last step.
  package static func run<Piece: Sendable, Worked: Sendable>(
    read: @escaping () throws -> Piece?, work: (Piece) throws -> Worked,
    finish: @escaping (Worked) throws -> Void
  ) throws {
    let pieces = Handover<Piece>()
    let results = Handover<Worked>()
    let reader = Step { [read = OneThread(read)] in
      defer { pieces.close() }
      while let piece = try read.value(), pieces.put(piece) {}
    }
    let finisher = Step { [finish = OneThread(finish)] in
      defer { results.close() }
      while let result = results.take() { try finish.value(result) }
    }
    var failure: (any Error)?
    do {
      while let piece = pieces.take(), results.put(try work(piece)) {}
    } catch {
      failure = error
    }
    pieces.close()
    results.close()
    let (first, last) = (reader.join(), finisher.join())
    if let error = last ?? failure ?? first { throw error }
  }

  /// Something that is handed to one thread and used on no other meanwhile.
  private struct OneThread<Value>: @unchecked Sendable {
    // Sendable: the caller waits for the thread.
    let value: Value
    init(_ value: Value) { self.value = value }
  }

  /// A thread that ends with an error or without.
  private final class Step: @unchecked Sendable {
    // Sendable: `error` and `isDone` are touched while `condition` is locked only.
    private let condition = NSCondition()
    private var error: (any Error)?
    private var isDone = false

    init(_ body: @escaping @Sendable () throws -> Void) {
      let thread = Thread { [self] in
        var failure: (any Error)?
        do { try body() } catch { failure = error }
        condition.withLock {
          error = failure
          isDone = true
          condition.broadcast()
        }
      }
      thread.stackSize = 4 << 20
      thread.start()
    }

    func join() -> (any Error)? {
      condition.withLock {
        while !isDone { condition.wait() }
        return error
      }
    }
  }

  /// A place for one piece between two threads.
  private final class Handover<Piece: Sendable>: @unchecked Sendable {
    // Sendable: both variables are touched while `condition` is locked only.
    private let condition = NSCondition()
    private var piece: Piece?
    private var isClosed = false

    /// Waits for room; false when nobody takes pieces any more.
    func put(_ new: Piece) -> Bool {
      condition.withLock {
        while piece != nil, !isClosed { condition.wait() }
        guard !isClosed else { return false }
        piece = new
        condition.broadcast()
        return true
      }
    }

    /// Waits for a piece; nil when there is none left.
    func take() -> Piece? {
      condition.withLock {
        while piece == nil, !isClosed { condition.wait() }
        defer {
          piece = nil
          condition.broadcast()
        }
        return piece
      }
    }

    func close() {
      condition.withLock {
        isClosed = true
        condition.broadcast()
      }
    }
  }
}
