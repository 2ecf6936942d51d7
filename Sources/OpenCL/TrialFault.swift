/// What is wrong with something that was tried, in one line.
package enum TrialFault {
  /// The line of an error.
  ///
  /// - Parameter error: What the trial threw.
  /// - Returns: The first line; of a program that does not compile what the compiler says first.
  package static func line(_ error: any Error) -> String {
    guard case OpenCLError.build(_, _, let log, _) = error else { return first("\(error)") }
    let errors = log.split(separator: "\n").filter { $0.contains("error") }
    return "it does not compile: \(first(errors.first.map(String.init) ?? log))"
  }

  private static func first(_ text: String) -> String {
    text.split(separator: "\n").first.map(String.init) ?? "unknown error"
  }
}
