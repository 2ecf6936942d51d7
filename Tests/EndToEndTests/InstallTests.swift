import Formats
import Foundation
import TestSupport
import Testing

/// What `make install` and the packages put on a machine.
@Suite(
  "Installing",
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct InstallTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  @Test func programManualAndCompletionsArePutInPlace() throws {
    let scratch = try Scratch()
    let manual = try scratch.write(".TH BARON 1\n", "baron.1")
    let program = URL(filePath: try #require(BaronProcess.path)).path
    // Where the package manager has put the packages, below the folder of its builds.
    let checkouts = URL(filePath: program).resolvingSymlinksInPath().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "checkouts").path
    let target = scratch.folder + "/target"
    let result = try BaronProcess(
      ["Packaging/files.sh", program, target, "/usr/local"].map {
        $0.hasPrefix("Packaging") ? "\(Self.root)/\($0)" : $0
      }, program: "/bin/bash", environment: ["MANUAL": manual, "CHECKOUTS": checkouts]
    ).finish()
    #expect(result.status == 0, "\(result.errors)")
    let installed = "\(target)/usr/local/bin/baron"
    let version = try BaronProcess(["--version"], program: installed).finish()
    let own = try BaronProcess.run("--version").output
    #expect(version.status == 0 && version.output == own)
    for file in [
      "man/man1/baron.1.gz", "bash-completion/completions/baron", "zsh/vendor-completions/_baron",
      "fish/vendor_completions.d/baron.fish", "doc/baron/copyright",
    ] {
      let path = "\(target)/usr/local/share/\(file)"
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
      #expect(size ?? 0 > 20, "\(file)")
    }
  }

  /// What the man page is made from.
  @Test func theHelpOfEveryCommandCanBeDumped() throws {
    let result = try BaronProcess.run("--experimental-dump-help")
    #expect(result.status == 0, "\(result.errors)")
    let commands = try JSONValue(parsing: result.output, source: "help")["command"]?["subcommands"]
    let names = (commands?.array ?? []).compactMap { $0["commandName"]?.string }
    #expect(Set(["init", "check", "train", "evaluate", "detect", "report"]).isSubset(of: names))
  }
}
