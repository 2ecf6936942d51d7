/// Why a stream of images has nothing to give.
public struct StreamError: Error, CustomStringConvertible, Equatable {
  let name: String
  let reason: String

  /// One line: stream, fault, remedy.
  public var description: String { "stream \"\(name)\": \(reason)" }
}
