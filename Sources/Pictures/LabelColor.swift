import Formats

/// The colour of a label: a function of its text alone, so the same in every picture and run.
package enum LabelColor {
  /// The colour that a label's boxes and tag are drawn in.
  ///
  /// - Parameter label: The label.
  /// - Returns: A saturated colour; hue and brightness come from a hash of the label.
  package static func color(of label: String) -> Color {
    var random = CounterRandom(seed: 0, CounterRandom.key(label))
    return Color(
      hue: random.uniform(), saturation: random.uniform(0.65, 0.95),
      value: random.uniform(0.7, 0.98))
  }

  /// Black or white, whichever reads better on a colour.
  ///
  /// - Parameter background: The colour behind the text.
  /// - Returns: The text's colour.
  package static func text(on background: Color) -> Color {
    background.luminance > 0.55 ? Color(0, 0, 0) : Color(255, 255, 255)
  }
}
