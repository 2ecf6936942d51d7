import Distribution
import Formats
import Foundation
import Training

extension RunConfiguration {
  /// Rank 0's configuration, on every rank: no other has to see its file.
  ///
  /// - Parameters:
  ///   - own: The configuration on rank 0, nil elsewhere.
  ///   - world: The ranks.
  /// - Returns: The configuration.
  /// - Throws: `AgreedError` or `WorldError`.
  static func shared(_ own: RunConfiguration?, in world: any World) throws -> RunConfiguration {
    if world.size == 1, let own { return own }
    let yaml = try world.broadcast(
      Array((own?.yaml() ?? "").utf8), Exchange("resolved configuration"))
    return try Agreement.together("resolved configuration", in: world) {
      if let own { return own }
      let folder = try TemporaryFolder("configuration")
      let path = "\(folder.path)/config.yaml"
      try AtomicFile.write(Foundation.Data(yaml), to: path)
      return try RunConfiguration.load(path)
    }
  }

  /// Looks, on the other ranks, at the files that rank 0 has found on its machine.
  ///
  /// - Parameters:
  ///   - world: The ranks.
  ///   - seconds: How long pictures are opened.
  /// - Throws: `AgreedError` or `WorldError`.
  func checkFiles(in world: any World, seconds: Double) throws {
    try Agreement.together("files", in: world) {
      guard world.rank > 0 else { return }
      let errors = RunCheck(self, seconds: seconds).findings.filter { $0.severity == .error }
      guard let first = errors.first else { return }
      let others = errors.count - 1
      let more =
        others > 0 ? " (and \(others, "more thing") \(others.verb("is", "are")) wrong)" : ""
      throw AgreedError(text: "\(first)\(more)", code: 1)
    }
  }

  /// Compares what all ranks have to train with alike.
  ///
  /// - Parameter world: The ranks.
  /// - Throws: `AgreedError` or `WorldError`.
  func compareFiles(in world: any World) throws {
    guard world.size > 1 else { return }
    let version = BaronProgram.version
    try Agreement.compare(
      [Agreement.Item("program version", digest: version, details: version)]
        + digests().map { Agreement.Item($0.what, digest: $0.digest, details: $0.details) },
      in: world)
  }
}
