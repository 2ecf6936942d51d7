import ArgumentParser
import Formats
import Foundation
import TestSupport
import Testing

@testable import BaronCLI

/// Every command that README, the documents and the help show: its words are understood, and where it
/// needs no download, no GPU and no minutes it runs, in a folder as its reader has one.
@Suite(
  "Examples", .serialized,
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct ExampleTests {
  /// A command and where it stands.
  struct Example: CustomStringConvertible {
    let command: String
    let source: String
    /// Why it is not run: `downloads`, `gpu` or `minutes`; nil where it is.
    let need: String?

    var description: String { "\(source): \(command)" }

    /// The words behind `baron`, as a shell divides them.
    var words: [String] {
      var words: [String] = []
      var (word, quote): (String?, Character?) = (nil, nil)
      scan: for character in command {
        switch character {
        case "\"", "'":
          if quote == character {
            quote = nil
          } else if quote == nil {
            quote = character
            word = word ?? ""
          } else {
            word?.append(character)
          }
        case "#" where quote == nil && word == nil: break scan
        case " " where quote == nil:
          if let done = word { words.append(done) }
          word = nil
        default: word = (word ?? "") + String(character)
        }
      }
      if let word { words.append(word) }
      return Array(words.prefix { $0 != ">" && $0 != "|" }.dropFirst())
    }
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// The commands in a document's blocks of shell, in order.
  private static func examples(in document: String) throws -> [Example] {
    let text = try String(contentsOf: root.appending(path: document), encoding: .utf8)
    let lines = text.replacing("\\\n", with: " ").split(
      separator: "\n", omittingEmptySubsequences: false)
    var (examples, need, isInside): ([Example], String?, Bool) = ([], nil, false)
    for line in lines.map({ $0.trimmingCharacters(in: .whitespaces) }) {
      if let match = line.wholeMatch(of: /<!-- needs: ([a-z]+) -->/) {
        need = String(match.output.1)
      } else if line == "```sh" {
        isInside = true
      } else if line == "```" {
        (isInside, need) = (false, nil)
      } else if isInside, line.hasPrefix("baron ") {
        examples.append(Example(command: line, source: document, need: need))
      }
    }
    return examples
  }

  private static func documents() throws -> [String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: root.path + "/docs")
    return ["README.md"] + names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
  }

  /// The commands in the help of all commands.
  private static func helpExamples() -> [Example] {
    func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
      [command] + command.configuration.subcommands.flatMap { all($0) }
    }
    return all(BaronProgram.self).flatMap { command -> [Example] in
      let name = command.configuration.commandName ?? "\(command)".lowercased()
      return command.configuration.discussion.split(separator: "\n").compactMap { line in
        let line = line.trimmingCharacters(in: .whitespaces)
        guard line.firstMatch(of: /^([A-Z][^:']*: )?baron [a-z]/) != nil,
          let begin = line.range(of: "baron ")?.lowerBound
        else { return nil }
        return Example(command: String(line[begin...]), source: "help of \(name)", need: nil)
      }
    }
  }

  @Test("every command of documents and help is understood")
  func everyExampleParses() throws {
    let documented = try Self.documents().flatMap { try Self.examples(in: $0) }
    let examples = documented + Self.helpExamples()
    #expect(documented.count > 30 && examples.count > 45, "\(documented.count), \(examples.count)")
    let needs = Set(examples.compactMap(\.need))
    #expect(needs.isSubset(of: ["downloads", "gpu", "minutes"]))
    for example in examples {
      #expect(throws: Never.self, "\(example)") {
        do {
          _ = try BaronProgram.parseAsRoot(example.words)
        } catch {
          throw FormatError(example.source, BaronProgram.fullMessage(for: error))
        }
      }
      #expect(!example.command.hasSuffix("="), "\(example) breaks off")
    }
  }

  @Test("every command of README and documents that needs nothing more runs")
  func everyExampleRuns() throws {
    let own = try OwnFolder(images: 18)
    try Data("ring\nstar\n".utf8).write(to: URL(filePath: "\(own.path)/names.txt"))
    var known: Set<String> = []
    var count = 0
    for document in try Self.documents() {
      for example in try Self.examples(in: document) where example.need == nil {
        let words = example.words
        // The same command in two documents makes the same thing.
        guard known.insert(words.joined(separator: " ")).inserted else { continue }
        count += 1
        let result = try own.baron(words + Self.shortening(words))
        #expect(result.status == 0, "\(example): \(result.errors.suffix(2000))")
      }
    }
    #expect(count >= 12, "\(count)")
  }

  /// What makes a command of the documents end within seconds; it is run as it stands otherwise.
  private static func shortening(_ words: [String]) -> [String] {
    func set(_ settings: String...) -> [String] { settings.flatMap { ["--set", $0] } }
    switch words.first {
    case "train" where words.contains("--resume"): return set("training.iterations=3")
    case "train", "check":
      return set(
        "training.iterations=2", "training.evaluate_every=2", "training.checkpoint_every=2",
        "training.detection_batch=2", "training.alignment_batch=2")
    default: return []
    }
  }
}
