/// What overlap is measured between, by the names of the reference.
package enum IoUType: String, Sendable, CaseIterable {
  /// Boxes.
  case bbox
  /// Masks.
  case segm

  /// The word in texts for people.
  package var noun: String { self == .bbox ? "box" : "mask" }
}
