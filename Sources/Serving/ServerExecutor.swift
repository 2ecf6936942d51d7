import Foundation
import Synchronization

/// Threads of a server's own for its connections, so that nobody who keeps the shared ones busy can
/// keep clients waiting.
final class ServerExecutor: TaskExecutor {
  private static let threads = 2

  private let jobs = Mutex<[UnownedJob]>([])
  private let work = DispatchSemaphore(value: 0)
  private let isStopped = Atomic(false)

  /// Starts the threads.
  init() {
    for _ in 0..<Self.threads {
      let thread = Thread { [self] in
        while true {
          work.wait()
          let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
          if let job {
            job.runSynchronously(on: asUnownedTaskExecutor())
          } else if isStopped.load(ordering: .relaxed) {
            return
          }
        }
      }
      thread.stackSize = 2 << 20
      thread.start()
    }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    work.signal()
  }

  /// Ends the threads when nothing is left to do.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    for _ in 0..<Self.threads { work.signal() }
  }
}
