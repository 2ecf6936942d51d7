import Annotations

/// The sentences that describe a class to the text encoder.
///
/// Source: spec clip 3.9.
package enum PromptTemplates {
  /// The number of sentences of a class.
  package static let count = 63

  /// The sentences of a class, in the order of the specification's table.
  ///
  /// - Parameter className: The name as the data set writes it, for example "stop_sign".
  /// - Returns: 63 sentences.
  package static func texts(for className: String) -> [String] {
    let name = ClassName.plain(className)
    return templates(article: article(for: className)).map { template in
      let text = template.replacing("{n}", with: name)
      return text.hasPrefix("a") || text.hasPrefix("the") ? "This is " + text : text
    }
  }

  /// The sentences of a class by templates of one's own.
  ///
  /// - Parameters:
  ///   - className: The name as the data set writes it.
  ///   - templates: Sentences with `{name}` and `{article}`; empty for the published 63.
  /// - Returns: One sentence a template.
  package static func texts(for className: String, templates: [String]) -> [String] {
    guard !templates.isEmpty else { return texts(for: className) }
    return templates.map {
      $0.replacing("{name}", with: ClassName.plain(className))
        .replacing("{article}", with: article(for: className))
    }
  }

  /// The indefinite article of a name, decided by the first letter as the data set writes it.
  ///
  /// - Parameter className: The name as the data set writes it.
  /// - Returns: "an" before a lower-case vowel, else "a".
  package static func article(for className: String) -> String {
    className.first.map { "aeiou".contains($0) } ?? false ? "an" : "a"
  }

  private static let photoAdjectives = [
    "good", "bad", "bright", "dark", "low resolution", "cropped", "close-up", "jpeg corrupted",
    "blurry", "pixelated", "black and white",
  ]
  private static let nounAdjectives = [
    "nice", "cool", "weird", "small", "large", "clean", "dirty", "hard to see",
  ]
  private static let materials = ["plastic", "toy", "plushie", "cartoon"]

  /// Only some families take the name's article; the others always say "a".
  private static func templates(article: String) -> [String] {
    var texts = ["There is \(article) {n} in the scene.", "There is the {n} in the scene."]
    texts += [article, "the", "one"].map { "a photo of \($0) {n} in the scene." }
    texts += [article, "my", "the"].map { "itap of \($0) {n}." }
    texts += [article, "my", "the", "one", "many"].map { "a photo of \($0) {n}." }
    for adjective in photoAdjectives {
      texts += [article, "the"].map { "a \(adjective) photo of \($0) {n}." }
    }
    for adjective in nounAdjectives {
      texts += ["a", "the"].map { "a photo of \($0) \(adjective) {n}." }
    }
    for material in materials {
      texts += ["a", "the"].map { "\($0) \(material) {n}." }
    }
    texts += ["an", "the"].map { "\($0) embroidered {n}." }
    texts += ["a", "the"].map { "a painting of \($0) {n}." }
    return texts
  }
}
