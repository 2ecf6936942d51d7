import Foundation
import Testing

@testable import Formats

@Suite struct ShellWordTests {
  @Test(arguments: ["runs/x", "a-b_c.d", "ünï/猫", "./x:1"])
  func plainWordsStay(word: String) {
    #expect(ShellWord.quoted(word) == word)
  }

  /// A shell gives back what was quoted.
  @Test(arguments: [
    "", "a b", "~", "it's", "say \"x\"", "$HOME", "`id`", "a\\b", "x;y", "*", "a\tb",
  ])
  func aShellGivesTheWordBack(word: String) throws {
    let quoted = ShellWord.quoted(word)
    #expect(quoted != word)
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "printf %s \(quoted)"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(String(decoding: output, as: UTF8.self) == word)
  }
}
