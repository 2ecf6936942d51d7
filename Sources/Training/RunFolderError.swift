import Formats

/// Why a run folder cannot be used; the description is one line with path and remedy.
package enum RunFolderError: Error, CustomStringConvertible, Equatable {
  /// A new run would overwrite an old one.
  case exists(path: String)
  /// What is there is no run.
  case occupied(path: String)
  /// There is no run to go on with.
  case missing(path: String)
  /// Another process writes into the folder; `holder` says which, empty when unknown.
  case locked(path: String, holder: String)
  /// No whole checkpoint is there.
  case noCheckpoint(path: String)
  /// There are checkpoints, but not a single whole one.
  case damaged(path: String)
  /// Several starts in a row have not got to a new checkpoint.
  case stuck(path: String, starts: Int, iteration: Int)
  /// The run was started with another configuration.
  case otherConfiguration(path: String, keys: [String])
  /// The system refuses something.
  case system(path: String, reason: String)

  /// A folder that the system does not let be made.
  static func unwritable(_ path: String) -> RunFolderError {
    .system(path: path, reason: "the folder cannot be made; choose a writable place")
  }

  /// One line: what, where, remedy.
  package var description: String {
    switch self {
    case .exists(let path):
      "\(path): this run exists already; go on with it by --resume or choose another name"
    case .occupied(let path):
      "\(path): is there already and is no run; choose another name"
    case .missing(let path):
      "\(path): there is no run here (no config.yaml); check the name, or start it with a "
        + "configuration"
    case .locked(let path, let holder):
      "\(path): \(holder.isEmpty ? "another process" : holder) is training in this run; "
        + "wait for it, stop it or choose another name"
    case .noCheckpoint(let path):
      "\(path): this run has no whole checkpoint yet; train it on with --resume"
    case .damaged(let path):
      "\(path): all checkpoints of this run are damaged; put a whole one there, or move the folder "
        + "away and resume at iteration 0"
    case .stuck(let path, let starts, let iteration):
      "\(path): the last \(starts, "start") ended before a checkpoint came after that of iteration "
        + "\(iteration); look into \(path)/log.txt, then go on with --resume \(path)"
    case .otherConfiguration(let path, let keys):
      "\(path): the run has another configuration: \(keys.joined(separator: ", ")); give the run's "
        + "own values, or go on with --resume and --set for keys that may change"
    case .system(let path, let reason):
      "\(path): \(reason)"
    }
  }
}
