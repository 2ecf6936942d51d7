import CMPI
import Formats
import Foundation

/// One of several processes that MPI connects.
package final class MPIWorld: World, @unchecked Sendable {
  // Sendable: the library lets threads call it at once; a lane, and with it what belongs to lane
  // `control`, is used by one thread at a time.
  package let rank: Int
  package let size: Int
  package let node: NodePlace
  package let host = Machine.name
  package let progress = RankProgress()
  /// What the library calls itself.
  package let library: String
  private let communicator: cmpi_handle
  private let lanes: [cmpi_handle]
  /// Whether it is the world of all processes.
  private let isWhole: Bool
  private let mail: MPIMail

  /// Values a piece of a sum has: small exchanges of other lanes get between the pieces.
  private static let floatsInPiece = 1 << 18
  /// Bytes a piece of a file has.
  private static let bytesInPiece = 1 << 26
  /// Bytes of the text in which ranks tell each other where they are.
  private static let placeLength = 256

  /// Opens the library, starts it and finds the other processes.
  ///
  /// - Parameter launch: What the launcher says.
  /// - Throws: ``LaunchError``.
  package convenience init(_ launch: Launch) throws(LaunchError) {
    try launch.checkInterface()
    let (path, family) = try Self.open(launch)
    let name = Self.text { _ = cmpi_version($0, $1) }
    if launch.lacksPMIx, launch.rank == 0, family == Int32(cmpi_open_mpi) {
      // Most builds end the process in their first call, with a page of text that does not say how.
      Console.note(
        "\(path) is \(name), which srun gave no PMIx: if it ends here, start with srun --mpi=pmix")
    }
    if launch.yields(cores: Cores.usable, of: Cores.all) {
      setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0)
    }
    var hasThreads = false
    try Self.check(cmpi_start(&hasThreads), "MPI_Init_thread", of: name)
    guard hasThreads else {
      cmpi_finish()
      throw .threads(library: name)
    }
    var seen = Int32(1)
    try Self.check(cmpi_size(cmpi_world(), &seen), "MPI_Comm_size", of: name)
    guard Int(seen) == launch.size else {
      // Each process is a world of its own, which ends by itself.
      cmpi_finish()
      throw .wrongPairing(
        launcher: launch.launcher, size: launch.size, path: path, library: name,
        seen: Int(seen))
    }
    try self.init(cmpi_world(), library: name, isWhole: true)
    try checkSums()
  }

  /// Makes a world of the processes of a communicator.
  private init(_ all: cmpi_handle, library: String, isWhole: Bool) throws(LaunchError) {
    self.library = library
    self.isWhole = isWhole
    communicator = all
    var (rank, size) = (Int32(0), Int32(1))
    try Self.check(cmpi_return_codes(all), "MPI_Comm_set_errhandler", of: library)
    try Self.check(cmpi_rank(all, &rank), "MPI_Comm_rank", of: library)
    try Self.check(cmpi_size(all, &size), "MPI_Comm_size", of: library)
    (self.rank, self.size) = (Int(rank), Int(size))
    var machine = cmpi_handle()
    var place = (rank: Int32(0), size: Int32(1))
    try Self.check(cmpi_machine(all, &machine), "MPI_Comm_split_type", of: library)
    try Self.check(cmpi_rank(machine, &place.rank), "MPI_Comm_rank", of: library)
    try Self.check(cmpi_size(machine, &place.size), "MPI_Comm_size", of: library)
    node = NodePlace(rank: Int(place.rank), size: Int(place.size))
    var lanes: [cmpi_handle] = []
    for _ in Lane.allCases {
      var lane = cmpi_handle()
      try Self.check(cmpi_copy(all, &lane), "MPI_Comm_dup", of: library)
      try Self.check(cmpi_return_codes(lane), "MPI_Comm_set_errhandler", of: library)
      lanes.append(lane)
    }
    self.lanes = lanes
    mail = MPIMail(rank: Int(rank), size: Int(size), comm: lanes[Lane.control.rawValue])
  }

  /// The ranks that give the same number, as a world of their own that needs no end.
  ///
  /// - Parameter color: The number.
  /// - Throws: ``LaunchError``.
  package func part(_ color: Int) throws(LaunchError) -> MPIWorld {
    var part = cmpi_handle()
    try Self.check(
      cmpi_split(communicator, Int32(truncatingIfNeeded: color), Int32(rank), &part),
      "MPI_Comm_split", of: library)
    return try MPIWorld(part, library: library, isWhole: false)
  }

  private static func check(
    _ code: Int32, _ call: String, of library: String
  ) throws(LaunchError) {
    guard code == 0 else {
      throw .failed(call: call, library: library, reason: text { cmpi_words(code, $0, $1) })
    }
  }

  /// Opens the first library that is there.
  private static func open(
    _ launch: Launch
  ) throws(LaunchError) -> (path: String, family: Int32) {
    var reasons: [String] = []
    for path in launch.libraries {
      var family = Int32(0)
      let reason = text {
        family = cmpi_open(path, $0, $1)
      }
      if family != Int32(cmpi_none) { return (path, family) }
      reasons.append(reason)
    }
    throw .noLibrary(launcher: launch.launcher.words, size: launch.size, reasons: reasons)
  }

  /// A text that the library writes.
  private static func text(_ write: (UnsafeMutablePointer<CChar>, Int) -> Void) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { room in
      guard let start = room.baseAddress else { return "" }
      start.pointee = 0
      write(start, 1024)
      return String(cString: start)
    }
  }

  private static func check(
    _ code: Int32, _ call: String, _ exchange: Exchange
  ) throws(WorldError) {
    guard code != 0 else { return }
    throw .call(
      name: call, exchange: "\(exchange)", reason: text { cmpi_words(code, $0, $1) })
  }

  /// Exchanges something once all ranks are at the same exchange.
  private func meet<Value>(
    _ exchange: Exchange, _ shape: ExchangeShape, _ lane: Lane,
    _ body: (cmpi_handle) throws(WorldError) -> Value
  ) throws(WorldError) -> Value {
    try progress.during(exchange, on: lane) { () throws(WorldError) in
      try body(begin(exchange, shape, lane))
    }
  }

  /// Compares what all ranks are at, before anything else is exchanged.
  private func begin(
    _ exchange: Exchange, _ shape: ExchangeShape, _ lane: Lane
  ) throws(WorldError) -> cmpi_handle {
    let comm = lanes[lane.rawValue]
    let (code, count) = (exchange.code(shape.kind), Int64(shape.count))
    // The highest of a number and of its opposite: all are alike where these are opposites.
    var ends: (Int64, Int64, Int64, Int64) = (code, -code, count, -count)
    let result = withUnsafeMutableBytes(of: &ends) {
      cmpi_highest_numbers($0.baseAddress?.assumingMemoryBound(to: Int64.self), 4, comm)
    }
    try Self.check(result, "MPI_Allreduce", exchange)
    guard ends.0 == -ends.1, ends.2 == -ends.3 else {
      throw try difference(exchange, shape, comm)
    }
    return comm
  }

  /// Where all ranks are, as an error; every rank knows that they are not at the same exchange.
  private func difference(
    _ exchange: Exchange, _ shape: ExchangeShape, _ comm: cmpi_handle
  ) throws(WorldError) -> WorldError {
    let room = Self.placeLength
    func padded(_ text: String) -> [UInt8] {
      let bytes = Array(text.utf8.prefix(room / 2))
      return bytes + Array(repeating: 0, count: room / 2 - bytes.count)
    }
    let place = padded("\(exchange)") + padded("\(shape)")
    var places = [UInt8](repeating: 0, count: room * size)
    try Self.check(cmpi_all(place, Int32(room), &places, comm), "MPI_Allgather", exchange)
    let texts = stride(from: 0, to: places.count, by: room / 2).map { start in
      String(
        decoding: places[start..<start + room / 2].prefix { $0 != 0 }, as: UTF8.self)
    }
    return .mixed((0..<size).map { (texts[2 * $0], texts[2 * $0 + 1]) })
      ?? .mixed(rank: rank, at: "\(exchange)", other: rank, otherAt: "\(exchange)")
  }

  /// Does something piece by piece.
  private static func pieces<Element>(
    _ values: UnsafeMutableBufferPointer<Element>, of length: Int, _ call: String,
    _ exchange: Exchange,
    _ body: (UnsafeMutablePointer<Element>, Int32) -> Int32
  ) throws(WorldError) {
    guard let start = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: length) {
      let count = min(length, values.count - offset)
      try check(body(start + offset, Int32(count)), call, exchange)
    }
  }

  package func sum(
    _ values: UnsafeMutableBufferPointer<Float>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    let shape = ExchangeShape(.floatSum, count: values.count)
    try meet(exchange, shape, lane) { (comm) throws(WorldError) in
      try Self.pieces(values, of: Self.floatsInPiece, "MPI_Allreduce", exchange) {
        cmpi_sum_floats($0, $1, comm)
      }
    }
  }

  package func sum(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    let shape = ExchangeShape(.doubleSum, count: values.count)
    try meet(exchange, shape, lane) { (comm) throws(WorldError) in
      try Self.pieces(values, of: Self.floatsInPiece / 2, "MPI_Allreduce", exchange) {
        cmpi_sum_doubles($0, $1, comm)
      }
    }
  }

  package func highest(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    let shape = ExchangeShape(.highest, count: values.count)
    try meet(exchange, shape, lane) { (comm) throws(WorldError) in
      try Self.pieces(values, of: Self.floatsInPiece / 2, "MPI_Allreduce", exchange) {
        cmpi_highest_doubles($0, $1, comm)
      }
    }
  }

  package func union(
    _ words: UnsafeMutableBufferPointer<UInt64>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    let shape = ExchangeShape(.union, count: words.count)
    try meet(exchange, shape, lane) { (comm) throws(WorldError) in
      try Self.pieces(words, of: Self.floatsInPiece / 2, "MPI_Allreduce", exchange) {
        cmpi_unite($0, $1, comm)
      }
    }
  }

  package func broadcast(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) -> [UInt8] {
    try meet(exchange, ExchangeShape(.broadcast), lane) { (comm) throws(WorldError) in
      var count = Int64(bytes.count)
      try Self.check(cmpi_broadcast(&count, 8, comm), "MPI_Bcast", exchange)
      var all = rank == 0 ? bytes : [UInt8](repeating: 0, count: Int(count))
      try all.withUnsafeMutableBufferPointer { (all) throws(WorldError) in
        try Self.pieces(all, of: Self.bytesInPiece, "MPI_Bcast", exchange) {
          cmpi_broadcast($0, $1, comm)
        }
      }
      return all
    }
  }

  package func gather(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane, _ take: (Int, [UInt8]) -> Void
  ) throws(WorldError) {
    try meet(exchange, ExchangeShape(.gather), lane) { (comm) throws(WorldError) in
      guard rank == 0 else { return try send(bytes, exchange, comm) }
      take(0, bytes)
      for other in 1..<size { take(other, try receive(from: Int32(other), exchange, comm)) }
    }
  }

  private func send(
    _ bytes: [UInt8], _ exchange: Exchange, _ comm: cmpi_handle
  ) throws(WorldError) {
    var count = Int64(bytes.count)
    try Self.check(cmpi_send(&count, 8, 0, 0, comm), "MPI_Send", exchange)
    var bytes = bytes
    try bytes.withUnsafeMutableBufferPointer { (bytes) throws(WorldError) in
      try Self.pieces(bytes, of: Self.bytesInPiece, "MPI_Send", exchange) {
        cmpi_send($0, $1, 0, 0, comm)
      }
    }
  }

  private func receive(
    from other: Int32, _ exchange: Exchange, _ comm: cmpi_handle
  ) throws(WorldError) -> [UInt8] {
    var count = Int64(0)
    try Self.check(cmpi_receive(&count, 8, other, 0, comm), "MPI_Recv", exchange)
    var bytes = [UInt8](repeating: 0, count: Int(count))
    try bytes.withUnsafeMutableBufferPointer { (bytes) throws(WorldError) in
      try Self.pieces(bytes, of: Self.bytesInPiece, "MPI_Recv", exchange) {
        cmpi_receive($0, $1, other, 0, comm)
      }
    }
    return bytes
  }

  package func barrier(_ exchange: Exchange, on lane: Lane) throws(WorldError) {
    // Nobody knows that all are at the same place before all are there.
    try meet(exchange, ExchangeShape(.barrier), lane) { _ in }
  }

  package func post(_ note: [UInt8]) throws(WorldError) {
    try Self.check(mail.post(note), "MPI_Isend", Exchange("sign of life"))
  }

  package func posted() throws(WorldError) -> [(rank: Int, note: [UInt8])] {
    var notes: [(rank: Int, note: [UInt8])] = []
    try Self.check(mail.collect { notes.append(($0, $1)) }, "MPI_Irecv", Exchange("sign of life"))
    return notes
  }

  package func abort(code: Int32) {
    cmpi_abort(code)
    exit(code)
  }

  package func close() throws(WorldError) {
    let exchange = Exchange("end")
    try Self.check(mail.finish(), "MPI_Isend", exchange)
    try barrier(exchange, on: .statistics)
    if isWhole { try Self.check(cmpi_finish(), "MPI_Finalize", exchange) }
  }
}

extension MPIWorld {
  /// A library that gets sums wrong is not used.
  private func checkSums() throws(LaunchError) {
    let fault: String?
    do throws(WorldError) {
      fault = try sumFault()
    } catch {
      throw .failed(call: "the first sum", library: library, reason: "\(error)")
    }
    if let fault { throw .wrongSums(library: library, what: fault) }
  }

  /// What is wrong with sums of known numbers, or with the same sum done twice.
  ///
  /// - Returns: The same answer on every rank.
  private func sumFault() throws(WorldError) -> String? {
    let exchange = Exchange("check of sums")
    let count = Self.floatsInPiece + 5
    var known = (0..<count).map { Float($0 % 1000 + rank) }
    let offset = size * (size - 1) / 2
    try sum(&known, exchange, on: .gradients)
    let isRight = known.indices.allSatisfy { known[$0] == Float($0 % 1000 * size + offset) }
    let first = try sumOfFractions(count, exchange)
    let second = try sumOfFractions(count, exchange)
    var ends = [isRight ? 0 : 1, first, -first, first == second ? 0 : 1]
    try highest(&ends, exchange)
    if ends[0] != 0 { return "wrong sums of whole numbers" }
    if ends[1] != -ends[2] { return "other sums to other processes" }
    return ends[3] != 0 ? "another sum each time" : nil
  }

  /// The check sum of a sum whose rounding depends on its order.
  private func sumOfFractions(_ count: Int, _ exchange: Exchange) throws(WorldError) -> Double {
    var values = (0..<count).map { Float(($0 &* 7919 &+ rank &* 104_729) % 10_007) / 97 }
    try sum(&values, exchange, on: .gradients)
    return values.withUnsafeBytes { Double(Checksum.crc32($0)) }
  }
}
