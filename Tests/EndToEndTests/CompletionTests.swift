import Foundation
import TestSupport
import Testing

/// What the shell offers after a few letters, with the script that the program writes.
@Suite(
  "Completions",
  .enabled(
    if: BaronProcess.path != nil && FileManager.default.isExecutableFile(atPath: "/bin/bash"),
    "the program or bash is missing"))
struct CompletionTests {
  /// Types a line in bash, in a folder, and asks for completions.
  private func offered(_ line: String, in scratch: Scratch) throws -> Set<String> {
    let script = """
      cd '\(scratch.folder)'
      baron() { '\(BaronProcess.path ?? "")' "$@"; }
      . <(baron --generate-completion-script bash)
      COMP_LINE='\(line)'; read -ra COMP_WORDS <<<"$COMP_LINE"
      [ "${COMP_LINE: -1}" != ' ' ] || COMP_WORDS+=('')
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_POINT=${#COMP_LINE}
      _baron baron "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let shell = try BaronProcess(["-c", script], program: "/bin/bash").finish()
    #expect(shell.status == 0 && shell.errors.isEmpty, "\(shell.errors)")
    return Set(shell.output.split(separator: "\n").map(String.init))
  }

  @Test func presetsRunsAndFilesAreOffered() throws {
    let scratch = try Scratch()
    for folder in ["runs/first", "runs/second/checkpoints", "runs/none", "photos"] {
      try FileManager.default.createDirectory(
        atPath: "\(scratch.folder)/\(folder)", withIntermediateDirectories: true)
    }
    for file in [
      "runs/first/config.yaml", "runs/second/config.yaml", "photos/cat.jpg", "model.baron",
      "mine.yaml", "notes.txt",
    ] {
      _ = try scratch.write("", file)
    }
    #expect(try offered("baron ser", in: scratch) == ["serve"])
    #expect(
      try offered("baron train ov-coco-fpn", in: scratch) == [
        "ov-coco-fpn-baseline", "ov-coco-fpn-kd",
      ])
    #expect(try offered("baron train mi", in: scratch) == ["mine.yaml"])
    let models = try offered("baron detect --checkpoint ", in: scratch)
    #expect(models == ["first", "second", "model.baron", "runs", "photos"])
    #expect(try offered("baron export fi", in: scratch) == ["first"])
    #expect(try offered("baron serve runs/se", in: scratch) == ["runs/second"])
    #expect(try offered("baron train --resume se", in: scratch) == ["second"])
    #expect(try offered("baron detect photos/", in: scratch) == ["photos/cat.jpg"])
    #expect(try offered("baron evaluate --annotations no", in: scratch) == ["notes.txt"])
    #expect(try offered("baron detect --clip ph", in: scratch) == ["photos"])
  }
}
