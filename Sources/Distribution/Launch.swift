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
  /// The libraries to try, in order.
  package let libraries: [String]
  /// Whether Slurm was told of no way in which processes find each other.
  let lacksPMI: Bool

  /// Reads a launcher's variables; nil when there is none or when it started one process.
  ///
  /// - Parameter environment: The variables.
  package init?(environment: [String: String]) {
    func number(_ name: String) -> Int? { environment[name].flatMap(Int.init) }
    let hasPMIx = environment["PMIX_RANK"] != nil
    let hasPMI = environment["PMI_RANK"] != nil
    let local = (rank: number("MPI_LOCALRANKID"), size: number("MPI_LOCALNRANKS"))
    var place: (launcher: Launcher, rank: Int, size: Int, nodeRank: Int?, nodeSize: Int?)?
    if let size = number("OMPI_COMM_WORLD_SIZE"), let rank = number("OMPI_COMM_WORLD_RANK") {
      place = (
        .openMPI, rank, size, number("OMPI_COMM_WORLD_LOCAL_RANK"),
        number("OMPI_COMM_WORLD_LOCAL_SIZE")
      )
    } else if let size = number("SLURM_STEP_NUM_TASKS"), let rank = number("SLURM_PROCID") {
      // A batch script has the number of its tasks too, but not that of a step.
      place = (.slurm, rank, size, number("SLURM_LOCALID"), nil)
    } else if let size = number("PMI_SIZE"), let rank = number("PMI_RANK") {
      place = (.mpich, rank, size, local.rank, local.size)
    }
    guard let place, place.size > 1, (0..<place.size).contains(place.rank) else { return nil }
    launcher = place.launcher
    rank = place.rank
    size = place.size
    nodeRank = place.nodeRank ?? place.rank
    nodeSize = place.nodeSize
    lacksPMI = launcher == .slurm && !hasPMI && !hasPMIx && environment["PMI_FD"] == nil
    if let path = environment["BARON_MPI"], !path.isEmpty {
      libraries = [path]
    } else {
      libraries = launcher.libraries(hasPMIx: hasPMIx, hasPMI: hasPMI)
    }
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
    // A process that may use all cores shares them with the others.
    let shares = cores < all ? 1 : nodeSize ?? 1
    return cores < 3 * shares
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
    ["OMPI_", "PMIX_", "PMI_", "ORTE_", "PRTE_", "HYDI_", "MPI_LOCAL"]
      .contains { name.hasPrefix($0) }
  }
}
