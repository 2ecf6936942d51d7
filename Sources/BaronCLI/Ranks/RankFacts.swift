import Distribution
import Formats
import Foundation
import OpenCL

/// What a rank is and where it runs, as all others get to know it.
struct RankFacts: Equatable {
  var rank: Int
  var host: String
  /// The rank among those of its machine, and how many those are.
  var node: Int
  var nodes: Int
  /// The device's name, address and kind, and how many devices like it the rank may choose from.
  var device: String
  var address: String?
  var isCPU: Bool
  var choices: Int
  /// How many cores the rank may use, and how many its machine has.
  var cores: Int
  var allCores: Int
  /// The MPI library.
  var library: String

  /// Describes this process.
  init(_ world: any World, device: Device, choices: Int) {
    rank = world.rank
    host = world.host
    (node, nodes) = (world.node.rank, world.node.size)
    self.device = device.name
    address = device.address
    isCPU = device.kind == .cpu
    self.choices = choices
    (cores, allCores) = (Cores.usable, Cores.all)
    library = (world as? MPIWorld)?.library ?? "-"
  }

  /// The facts of all ranks, by rank, on rank 0; empty elsewhere.
  static func gathered(_ own: RankFacts, in world: any World) throws -> [RankFacts] {
    try world.gathered(Array(own.json.text().utf8), Exchange("ranks")).compactMap { bytes in
      try RankFacts(
        JSONValue(parsing: String(decoding: bytes, as: UTF8.self), source: "rank"))
    }
  }

  private var json: JSONValue {
    [
      "rank": .number(Double(rank)), "host": .string(host), "node": .number(Double(node)),
      "nodes": .number(Double(nodes)), "device": .string(device),
      "address": address.map { .string($0) } ?? .null, "cpu": .bool(isCPU),
      "choices": .number(Double(choices)), "cores": .number(Double(cores)),
      "all_cores": .number(Double(allCores)), "library": .string(library),
    ]
  }

  private init?(_ json: JSONValue) {
    guard let rank = json["rank"]?.integer, let host = json["host"]?.string,
      let node = json["node"]?.integer, let nodes = json["nodes"]?.integer,
      let device = json["device"]?.string, let isCPU = json["cpu"]?.bool,
      let choices = json["choices"]?.integer, let cores = json["cores"]?.integer,
      let allCores = json["all_cores"]?.integer, let library = json["library"]?.string
    else { return nil }
    (self.rank, self.host, self.node, self.nodes) = (rank, host, node, nodes)
    (self.device, self.isCPU, self.choices) = (device, isCPU, choices)
    address = json["address"]?.string
    (self.cores, self.allCores, self.library) = (cores, allCores, library)
  }
}

extension RankFacts {
  /// What is wrong with how devices are shared out; nil when nothing is.
  ///
  /// - Parameter all: The facts of all ranks.
  static func fault(of all: [RankFacts]) -> String? {
    var taken: [String: RankFacts] = [:]
    for facts in all where !facts.isCPU {
      // Where a driver does not say where a device is, its number tells devices apart.
      let place = facts.address ?? (facts.node < facts.choices ? "number \(facts.node)" : nil)
      guard let place else {
        return "host \(facts.host) has \(facts.choices, "device") like \(facts.device) for "
          + "\(facts.nodes, "process"); start at most \(facts.choices) there, or let them share "
          + "with --share-device"
      }
      if let other = taken.updateValue(facts, forKey: "\(facts.host) \(place)") {
        return "rank \(other.rank) and rank \(facts.rank) on host \(facts.host) both have "
          + "\(facts.device)\(facts.address.map { " (\($0))" } ?? ""); start at most "
          + "\(facts.choices, "process") there, or let them share with --share-device"
      }
    }
    return nil
  }

  /// What may be slow about where the ranks run, a line each.
  ///
  /// - Parameters:
  ///   - all: The facts of all ranks.
  ///   - threads: How many threads of a rank read pictures.
  ///   - launch: What started them.
  static func remarks(on all: [RankFacts], threads: Int, launch: Launch?) -> [String] {
    var remarks: [String] = []
    let needed = threads + 2
    let poor = all.filter { $0.cores < min(needed, max(1, $0.allCores / $0.nodes)) }
    if let first = poor.first {
      let more = poor.count > 1 ? " (and \(poor.count - 1) more)" : ""
      let options = launch.map {
        "; start with "
          + $0.options(cores: max(1, first.allCores / first.nodes), processes: first.nodes)
      }
      remarks.append(
        "rank \(first.rank) on host \(first.host)\(more) may use \(first.cores) of "
          + "\(first.allCores, "core"), but data.threads + 2 are \(needed, "thread")"
          + (options ?? ""))
    }
    let sharing = Set(all.filter { $0.isCPU && $0.nodes > 1 }.map(\.host)).sorted()
    if let host = sharing.first {
      remarks.append(
        "the processes of host \(host)\(sharing.count > 1 ? " (and \(sharing.count - 1) more)" : "") "
          + "compute on the same processor")
    }
    return remarks
  }
}
