import CMPI
import Foundation

/// Short notes of all ranks to rank 0, which wait for nobody.
final class MPIMail {
  /// A note's bytes after the one that says how many they are.
  static let length = 240
  private static let messageLength: Int32 = 256
  /// Instead of a length: there will be no more notes.
  private static let end: UInt8 = 255
  private static let tag: Int32 = 1

  private let rank: Int
  private let size: Int
  private let comm: cmpi_handle
  /// The note on its way to rank 0, or on rank 0 those that come, by rank.
  private let room: UnsafeMutablePointer<UInt8>
  private var requests: [cmpi_handle?]
  /// Rank 0's own notes.
  private var own: [[UInt8]] = []
  private var ended: Set<Int> = [0]

  init(rank: Int, size: Int, comm: cmpi_handle) {
    (self.rank, self.size, self.comm) = (rank, size, comm)
    let count = (rank == 0 ? size : 1) * Int(Self.messageLength)
    room = .allocate(capacity: count)
    room.initialize(repeating: 0, count: count)
    requests = Array(repeating: nil, count: rank == 0 ? size : 1)
  }

  deinit { room.deallocate() }

  /// Sends a note, unless the last one is still on its way: the next one says more.
  ///
  /// - Returns: MPI's code.
  func post(_ note: [UInt8]) -> Int32 {
    let note = Array(note.prefix(Self.length))
    if rank == 0 {
      own.append(note)
      return 0
    }
    var isFree = true
    let code = finishSending(&isFree)
    guard code == 0, isFree else { return code }
    return send([UInt8(note.count)] + note)
  }

  private func finishSending(_ isFree: inout Bool) -> Int32 {
    guard var request = requests[0] else { return 0 }
    let code = cmpi_test(&request, &isFree)
    requests[0] = isFree ? nil : request
    return code
  }

  private func send(_ bytes: [UInt8]) -> Int32 {
    for (index, byte) in bytes.enumerated() { room[index] = byte }
    var request = cmpi_handle()
    let code = cmpi_begin_send(room, Self.messageLength, 0, Self.tag, comm, &request)
    if code == 0 { requests[0] = request }
    return code
  }

  /// Hands over what has come.
  ///
  /// - Parameter take: Gets rank and note.
  /// - Returns: MPI's code.
  func collect(_ take: (Int, [UInt8]) -> Void) -> Int32 {
    guard rank == 0 else { return 0 }
    for note in own { take(0, note) }
    own = []
    for other in 1..<size where !ended.contains(other) {
      while true {
        let message = room + other * Int(Self.messageLength)
        var (code, hasCome) = (Int32(0), false)
        var request = requests[other] ?? 0
        if requests[other] == nil {
          code = cmpi_begin_receive(
            message, Self.messageLength, Int32(other), Self.tag, comm, &request)
        }
        if code == 0 { code = cmpi_test(&request, &hasCome) }
        guard code == 0 else { return code }
        requests[other] = hasCome ? nil : request
        guard hasCome else { break }
        guard message[0] != Self.end else {
          ended.insert(other)
          break
        }
        let count = min(Int(message[0]), Self.length)
        take(other, Array(UnsafeBufferPointer(start: message + 1, count: count)))
      }
    }
    return 0
  }

  /// Takes or sends what is on its way, after the last note.
  ///
  /// - Returns: MPI's code.
  func finish() -> Int32 {
    if rank == 0 {
      while ended.count < size {
        let code = collect { _, _ in }
        guard code == 0 else { return code }
        usleep(1000)
      }
      return 0
    }
    var code = waitForSending()
    if code == 0 { code = send([Self.end]) }
    return code == 0 ? waitForSending() : code
  }

  private func waitForSending() -> Int32 {
    while true {
      var isFree = true
      let code = finishSending(&isFree)
      guard code == 0, !isFree else { return code }
      usleep(1000)
    }
  }
}
