import Formats

/// What keeps a process from joining those that were started with it.
package enum LaunchError: Error, Equatable, CustomStringConvertible {
  /// No library could be opened; a reason for each one that was tried.
  case noLibrary(launcher: String, size: Int, reasons: [String])
  /// The library does not see the processes that the launcher started.
  case wrongPairing(launcher: Launch.Launcher, size: Int, path: String, library: String, seen: Int)
  /// Slurm was not asked to let the tasks find each other.
  case noInterface(size: Int)
  /// The library does not let several threads exchange at once.
  case threads(library: String)
  /// The library refuses to start.
  case failed(call: String, library: String, reason: String)
  /// Sums come out wrong, or not twice the same.
  case wrongSums(library: String, what: String)

  /// One line with the remedy.
  package var description: String {
    switch self {
    case .noLibrary(let launcher, let size, let reasons):
      "\(launcher) started \(size, "process"), but no MPI library of it can be opened "
        + "(\(reasons.joined(separator: "; "))): set BARON_MPI to the library's path"
    case .wrongPairing(let launcher, let size, let path, let library, let seen):
      "\(launcher.words) started \(size, "process"), but \(path) is \(library) and sees "
        + "\(seen): "
        + (launcher == .slurm
          ? "start with srun --mpi=pmix for Open MPI or --mpi=pmi2 for MPICH, or set BARON_MPI to "
            + "the library that belongs to this srun"
          : "set BARON_MPI to the library that belongs to this launcher, or start with that of the "
            + "library")
    case .noInterface(let size):
      "srun started \(size, "task") that cannot find each other: start with srun --mpi=pmix (Open "
        + "MPI) or --mpi=pmi2 (MPICH); srun --mpi=list shows what there is"
    case .threads(let library):
      "\(library) does not give MPI_THREAD_MULTIPLE, without which gradients cannot be summed beside "
        + "the computation: set BARON_MPI to a library that does"
    case .failed(let call, let library, let reason):
      "\(call) of \(library) failed: \(reason)"
    case .wrongSums(let library, let what):
      "\(library) gives \(what): training with it would go wrong unnoticed; set BARON_MPI to another "
        + "library, or for Open MPI choose another sum (--mca coll ^han, --mca coll ^tuned)"
    }
  }
}
