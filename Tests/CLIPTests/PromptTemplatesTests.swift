import Annotations
import CLIP
import Testing

@Suite("Prompt templates")
struct PromptTemplatesTests {
  @Test func thereAre63DifferentTexts() {
    let texts = PromptTemplates.texts(for: "dog")
    #expect(texts.count == PromptTemplates.count)
    #expect(Set(texts).count == 63)
    #expect(texts.filter { $0.hasPrefix("This is ") }.count == 58)
    #expect(texts.filter { $0.hasPrefix("There is ") }.count == 2)
    #expect(texts.filter { $0.hasPrefix("itap of ") }.count == 3)
    #expect(texts.allSatisfy { $0.hasSuffix(".") && !$0.contains("{") })
  }

  @Test func knownTextsStandInTheirPlaces() {
    let texts = PromptTemplates.texts(for: "dog")
    #expect(texts.first == "There is a dog in the scene.")
    #expect(texts[2] == "This is a photo of a dog in the scene.")
    #expect(texts.last == "This is a painting of the dog.")
    #expect(texts.contains("This is the embroidered dog."))
    #expect(texts.contains("This is a photo of the hard to see dog."))
  }

  @Test func theArticleFollowsTheOriginalName() {
    #expect(PromptTemplates.article(for: "apple") == "an")
    #expect(PromptTemplates.article(for: "Apple") == "a")
    #expect(PromptTemplates.article(for: "hour") == "a")
    #expect(PromptTemplates.article(for: "") == "a")
    let texts = PromptTemplates.texts(for: "umbrella")
    #expect(texts.first == "There is an umbrella in the scene.")
    #expect(texts.contains("This is a good photo of an umbrella."))
    // Families with a literal article keep it.
    #expect(texts.contains("This is a painting of a umbrella."))
    #expect(texts.contains("This is a photo of a nice umbrella."))
  }

  @Test(arguments: [
    ("stop_sign", "stop sign"), ("bell_pepper/capsicum", "bell pepper or capsicum"),
    ("TV", "tv"), ("Inc...", "inc"), ("dining table", "dining table"), ("", ""),
  ])
  func namesBecomePlainWords(name: String, plain: String) {
    #expect(ClassName.plain(name) == plain)
  }
}
