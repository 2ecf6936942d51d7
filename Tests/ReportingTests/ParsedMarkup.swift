import Foundation
import FoundationXML

/// An element of a document that is well-formed XML, with what it contains.
final class ParsedMarkup {
  let name: String
  let attributes: [String: String]
  private(set) var children: [ParsedMarkup] = []
  /// The text that stands directly in it.
  private(set) var ownText = ""

  private init(name: String, attributes: [String: String]) {
    self.name = name
    self.attributes = attributes
  }

  /// The root element; throws the parser's error when the text is not well-formed.
  static func parse(_ text: String) throws -> ParsedMarkup {
    let builder = Builder()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = builder
    guard parser.parse(), let root = builder.root.children.first else {
      throw Failure(line: parser.lineNumber, reason: "\(parser.parserError as Error?)")
    }
    return root
  }

  struct Failure: Error {
    let line: Int
    let reason: String
  }

  /// All text in it, in no particular order of nesting.
  var text: String { ownText + children.map(\.text).joined() }

  /// Every element below it of a name and, if given, a class.
  func all(_ name: String, class kind: String? = nil) -> [ParsedMarkup] {
    children.flatMap { child in
      (child.name == name && (kind == nil || child.attributes["class"] == kind) ? [child] : [])
        + child.all(name, class: kind)
    }
  }

  /// An attribute as a number; not a number where it is none.
  func number(_ attribute: String) -> Double {
    attributes[attribute].flatMap(Double.init) ?? .nan
  }

  /// The numbers of a path.
  var path: [(x: Double, y: Double)] {
    (attributes["d"] ?? "").split { "ML".contains($0) }.map { pair in
      let numbers = pair.split(separator: " ").map { Double($0) ?? .nan }
      return numbers.count == 2 ? (numbers[0], numbers[1]) : (.nan, .nan)
    }
  }

  private final class Builder: NSObject, XMLParserDelegate {
    let root = ParsedMarkup(name: "", attributes: [:])
    private lazy var open = [root]

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
      qualifiedName: String?, attributes: [String: String]
    ) {
      let element = ParsedMarkup(name: name, attributes: attributes)
      open.last?.children.append(element)
      open.append(element)
    }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
      qualifiedName: String?
    ) {
      open.removeLast()
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
      open.last?.ownText += text
    }
  }
}
