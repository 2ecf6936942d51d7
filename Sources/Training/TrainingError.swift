import Formats

/// What stops a training run.
package enum TrainingError: Error, CustomStringConvertible {
  /// A loss or the gradient is not a finite number.
  case notFinite(iteration: Int, names: [String], run: String)
  /// The user asked to stop; the command goes on with the run.
  case interrupted(iteration: Int, continuation: String)
  /// More iterations are done than a run is to have.
  case alreadyFurther(done: Int, asked: Int, run: String)
  /// Ranks have other parameters than rank 0.
  case apart(iteration: Int, ranks: [Int])
  /// All iterations are done, but the last evaluation failed.
  case notEvaluated(iteration: Int, reason: String, continuation: String)

  /// One line with the remedy.
  package var description: String {
    switch self {
    case .notFinite(let iteration, let names, let run):
      "iteration \(iteration): \(names.joined(separator: ", ")) is not a finite number; lower "
        + "optimizer.rate or set optimizer.gradient_limit in a new run, or go on from the last "
        + "checkpoint with --resume \(ShellWord.quoted(run))"
    case .apart(let iteration, let ranks):
      "after \(iteration, "iteration") rank \(ranks.map(String.init).joined(separator: ", ")) has "
        + "other parameters than rank 0, so nothing was saved; go on from the last checkpoint "
        + "with --resume, with programs and drivers of one version on all machines"
    case .interrupted(let iteration, let continuation):
      "stopped after \(iteration, "iteration"); '\(continuation)' goes on from there"
    case .alreadyFurther(let done, let asked, let run):
      "\(run): \(done, "iteration") \(done.verb("is", "are")) done already, more than the "
        + "\(asked) of training.iterations; give \(done) or more, or start a new run"
    case .notEvaluated(let iteration, let reason, let continuation):
      "all \(iteration, "iteration") \(iteration.verb("is", "are")) done and saved, but the last "
        + "evaluation failed (\(reason)); '\(continuation)' makes it up"
    }
  }
}
