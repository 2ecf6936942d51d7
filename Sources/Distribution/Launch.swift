import Foundation

/// What started this process as one of several, as its variables say.
package struct Launch: Equatable, Sendable {
  /// The kinds of launcher.
  package enum Launcher: Sendable {
    /// `mpirun` of Open MPI.
    case openMPI
    /// `mpirun` of MPICH and its kin: Intel, Cray, MVAPICH.
    case mpich
    /// `srun` of Slurm.
    case slurm

    /// For a message.
    package var words: String {
      switch self {
      case .openMPI: "mpirun of Open MPI"
      case .mpich: "mpirun of MPICH"
      case .slurm: "srun"
      }
    }

    /// The libraries that fit, the likelier ones first.
    fileprivate func libraries(hasPMIx: Bool, hasPMI: Bool) -> [String] {
      let openMPI = ["libmpi.so.40"]
      let mpich = ["libmpi.so.12", "libmpich.so.12"]
      // What all of MPI 5 have; a machine may have no other.
      let standard = ["libmpi_abi.so.1"]
      return switch self {
      case .openMPI: openMPI + standard
      case .mpich: mpich + standard
      case .slurm: (hasPMI && !hasPMIx ? mpich + openMPI : openMPI + mpich) + standard
      }
    }
  }

  package let launcher: Launcher
  /// This process among all, and how many there are.
  package let rank: Int
  package let size: Int
  /// This process among those of its machine; how many those are, where the launcher says so.
  package let nodeRank: Int
  package let nodeSize: Int?
  /// How many cores of this machine belong to the processes together, where the launcher says so.
  let nodeCores: Int?
  /// The libraries to try, in order.
  package let libraries: [String]
  /// Whether Slurm was told of no way in which processes find each other, or of one that is not Open
  /// MPI's.
  let lacksPMI: Bool
  let lacksPMIx: Bool
  /// The variables without which this process is one of its own.
  package let marks: [String]
  /// Whether a batch system has given the processes part of a machine.
  private let isInJob: Bool

  /// Reads a launcher's variables; nil when there is none or when it started one process.
  ///
  /// - Parameter environment: The variables.
  package init?(environment: [String: String]) {
    func number(_ name: String) -> Int? { environment[name].flatMap(Int.init) }
    let hasPMIx = environment["PMIX_RANK"] != nil
    let hasPMI = environment["PMI_RANK"] != nil || environment["PALS_RANKID"] != nil
    let local = (rank: number("MPI_LOCALRANKID"), size: number("MPI_LOCALNRANKS"))
    let tasks = number("SLURM_STEP_NUM_TASKS")
    var place: (launcher: Launcher, rank: Int, size: Int, nodeRank: Int?, nodeSize: Int?)?
    if let size = number("OMPI_COMM_WORLD_SIZE"), let rank = number("OMPI_COMM_WORLD_RANK") {
      place = (
        .openMPI, rank, size, number("OMPI_COMM_WORLD_LOCAL_RANK"),
        number("OMPI_COMM_WORLD_LOCAL_SIZE")
      )
    } else if let size = number("PMI_SIZE"), let rank = number("PMI_RANK"),
      local.size != nil || tasks != size
    {
      // Within an allocation it starts its helpers by srun, one a machine: the numbers of that step
      // are theirs. Those of srun's own tasks are in both.
      place = (.mpich, rank, size, local.rank, local.size)
    } else if let size = tasks, let rank = number("SLURM_PROCID") {
      // A batch script has the number of its tasks too, but not that of a step.
      let here = environment["SLURM_STEP_TASKS_PER_NODE"].flatMap {
        Self.tasks($0, node: number("SLURM_NODEID"))
      }
      place = (.slurm, rank, size, number("SLURM_LOCALID"), here)
    }
    guard let place, place.size > 1, (0..<place.size).contains(place.rank) else { return nil }
    launcher = place.launcher
    rank = place.rank
    size = place.size
    nodeRank = place.nodeRank ?? place.rank
    nodeSize = place.nodeSize
    nodeCores = launcher == .slurm ? number("SLURM_CPUS_ON_NODE") : nil
    lacksPMI = launcher == .slurm && !hasPMI && !hasPMIx && environment["PMI_FD"] == nil
    lacksPMIx = launcher == .slurm && !hasPMIx
    isInJob = environment["SLURM_JOB_ID"] != nil
    marks = ["OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "PMI_SIZE"]
      .filter { environment[$0] != nil }
    if let path = environment["BARON_MPI"], !path.isEmpty {
      libraries = [path]
    } else {
      libraries = launcher.libraries(hasPMIx: hasPMIx, hasPMI: hasPMI)
    }
  }

  /// More machines than any step has.
  private static let mostMachines = 1 << 24

  /// How many tasks of a step run on a machine.
  ///
  /// - Parameters:
  ///   - text: Tasks of the machines in order, as Slurm writes them: "8(x2),4" for 8, 8 and 4.
  ///   - node: The machine's number; without one the machine with the most tasks counts.
  /// - Returns: The number, nil where the text says none.
  static func tasks(_ text: String, node: Int?) -> Int? {
    var most: Int?
    var before = 0
    for run in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = run.split(separator: "(x", maxSplits: 1, omittingEmptySubsequences: false)
      let repeats = parts.count == 2 ? parts[1].split(separator: ")").first.flatMap { Int($0) } : 1
      guard let count = parts.first.flatMap({ Int($0) }), count > 0, let repeats,
        (1...mostMachines).contains(repeats)
      else { return nil }
      if let node, node >= before, node - before < repeats { return count }
      most = max(most ?? 0, count)
      before += repeats
    }
    return most
  }

  /// Whether waiting processes have to give their core away.
  ///
  /// Training, communication and device each keep a core busy; with fewer for a process those that
  /// wait, spinning, would keep the others from what they wait for.
  ///
  /// - Parameters:
  ///   - cores: How many cores this process may use.
  ///   - all: How many the machine has.
  func yields(cores: Int, of all: Int) -> Bool {
    // A process that is bound to cores of its own has them alone; on the average none has more than
    // its part of those that all have together.
    let together = min(all, nodeCores ?? all)
    return min(cores, together / max(1, nodeSize ?? 1)) < 3
  }

  /// The options that let each process use more cores.
  ///
  /// - Parameters:
  ///   - cores: How many it is to have.
  ///   - processes: How many there are on the machine.
  package func options(cores: Int, processes: Int) -> String {
    let options =
      switch launcher {
      case .openMPI: "--bind-to none, or --map-by ppr:\(processes):node:PE=\(cores)"
      case .mpich: "-bind-to none, or -bind-to core:\(cores)"
      case .slurm: "srun --cpus-per-task=\(cores)"
      }
    // A job has only the cores that it asked for, however its processes are bound.
    return launcher != .slurm && isInJob
      ? "\(options), in a job with sbatch --cpus-per-task=\(cores)" : options
  }

  /// Refuses tasks of Slurm that cannot find each other; opens no library.
  ///
  /// - Throws: ``LaunchError``.
  package func checkInterface() throws(LaunchError) {
    guard !lacksPMI else { throw .noInterface(size: size) }
  }

  /// Enters the world of the processes that were started together.
  ///
  /// Without a launcher no library is opened.
  ///
  /// - Parameter environment: The variables of this process.
  /// - Throws: ``LaunchError``.
  package static func world(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(LaunchError) -> any World {
    guard let launch = Launch(environment: environment) else { return Alone() }
    return try MPIWorld(launch)
  }

  /// The variables with which a launcher marks its processes, which others must not inherit.
  ///
  /// - Parameter name: A variable's name.
  package static func isMark(_ name: String) -> Bool {
    ["OMPI_", "PMIX_", "PMI_", "ORTE_", "PRTE_", "HYDI_", "MPI_LOCAL", "PALS_"]
      .contains { name.hasPrefix($0) }
  }
}
