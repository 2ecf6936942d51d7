import ArgumentParser
import Foundation
import Training

/// What a shell offers in the place of an argument, beside file names.
enum Completions {
  /// Presets and YAML files.
  static let configurations = CompletionKind.custom { _, _, prefix in
    starting(with: prefix, Preset.all.map(\.name)) + paths(prefix) { $0.hasSuffix(".yaml") }
  }

  /// Runs by their names, checkpoints, files of weights and models in one file.
  static let models = CompletionKind.custom { _, _, prefix in
    let endings = [".baron", ".safetensors", ".pth", ".pt", ".bin"]
    return starting(with: prefix, runs)
      + paths(prefix) { name in endings.contains { name.hasSuffix($0) } }
  }

  /// The names of the runs below `runs`.
  private static var runs: [String] {
    names(in: "runs").filter { FileManager.default.fileExists(atPath: "runs/\($0)/config.yaml") }
  }

  private static func starting(with prefix: String, _ words: [String]) -> [String] {
    words.filter { $0.hasPrefix(prefix) }
  }

  /// Folders, and the files that are wanted, whose paths begin with a prefix.
  private static func paths(_ prefix: String, _ isWanted: (String) -> Bool) -> [String] {
    let slash = prefix.lastIndex(of: "/")
    let start = slash.map { String(prefix[...$0]) } ?? ""
    let rest = slash.map { prefix[prefix.index(after: $0)...] } ?? prefix[...]
    return names(in: start.isEmpty ? "." : start).filter { name in
      guard name.hasPrefix(rest), !name.hasPrefix(".") || rest.hasPrefix(".") else { return false }
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: start + name, isDirectory: &isFolder)
        && (isFolder.boolValue || isWanted(name))
    }.map { start + $0 }
  }

  private static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }
}
