/// Why something could not be done; the description is one line with what, where and the remedy.
public struct BaronError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The line.
  public let description: String

  init(_ description: String) { self.description = description }

  /// Runs `body` and turns what it throws into an error of this kind.
  static func wrapping<Result>(_ body: () throws -> Result) throws(BaronError) -> Result {
    do {
      return try body()
    } catch let error as BaronError {
      throw error
    } catch {
      throw BaronError("\(error)")
    }
  }
}
