/// What overlap is measured between, by the names of the reference.
public enum IoUType: String, Sendable, CaseIterable {
  /// Boxes.
  case bbox
  /// Masks.
  case segm

  /// The word in texts for people.
  public var noun: String { self == .bbox ? "box" : "mask" }
}
