import Formats
import TestSupport
import Testing

/// The one-line message of the error that a function must throw.
func message<Result>(of body: () throws -> Result) throws -> String {
  let error = #expect(throws: FormatError.self) { _ = try body() }
  let text = "\(try #require(error))"
  #expect(!text.contains("\n"))
  return text
}
