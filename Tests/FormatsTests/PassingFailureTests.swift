import Formats
import TestSupport
import Testing

@Suite("Passing failures")
struct PassingFailureTests {
  @Test func whatFailsOnceIsTriedAgain() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1])
    var tries = 0
    let found = try PassingFailure.retrying(path) {
      tries += 1
      guard tries > 2 else { throw FormatError(path, "Input/output error") }
      return tries
    }
    #expect(found == 3)
  }

  @Test func whatStaysIsTold() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1])
    var tries = 0
    let text = try message {
      try PassingFailure.retrying(path) {
        tries += 1
        throw FormatError(path, "Input/output error")
      }
    }
    #expect(tries == 4 && text.hasSuffix("Input/output error"))
  }

  @Test func aFileThatIsNotThereIsAskedForOnce() throws {
    let scratch = try Scratch()
    var tries = 0
    for path in [scratch.folder + "/none", scratch.folder] {
      tries = 0
      _ = try message {
        try PassingFailure.retrying(path) {
          tries += 1
          throw FormatError(path, "no such file")
        }
      }
      #expect(tries == 1)
    }
  }

  private struct Other: Error {}

  @Test func otherErrorsAreNotTheDisks() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1])
    var tries = 0
    #expect(throws: Other.self) {
      try PassingFailure.retrying(path) {
        tries += 1
        throw Other()
      }
    }
    #expect(tries == 1)
  }
}
