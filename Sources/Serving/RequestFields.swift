import Annotations
import Formats
import Foundation

/// What a request asks for, from the query and from whatever kind of body it has.
struct RequestFields {
  /// The picture's file; nil when there is none.
  private(set) var picture: [UInt8]?
  private var texts: [String: [String]] = [:]

  /// Reads a request.
  ///
  /// - Parameter request: The request with its body.
  /// - Throws: ``HTTPFault`` when the body is not what its type says.
  init(_ request: HTTPRequest) throws(HTTPFault) {
    for (name, value) in request.query { texts[name, default: []].append(value) }
    switch request.mediaType {
    case "multipart/form-data":
      let form = try MultipartForm(
        request.body, contentType: request.headers["content-type"] ?? "")
      let file = form["picture"] ?? form["image"] ?? form.fields.first(where: \.isFile)
      picture = file.map { Array($0.content) }
      for field in form.fields where !field.isFile {
        guard let text = field.text else {
          throw HTTPFault(.badRequest, "field \"\(field.name)\" is not UTF-8 text")
        }
        texts[field.name, default: []].append(text)
      }
    case "application/json": try read(json: request.body)
    case "", "application/octet-stream", "application/x-www-form-urlencoded":
      picture = request.body.isEmpty ? nil : request.body
    case let type where type.hasPrefix("image/"):
      picture = request.body.isEmpty ? nil : request.body
    case let type:
      throw HTTPFault(
        .unsupportedMediaType,
        "a body of type \(type) is not understood; send the picture itself (image/jpeg, "
          + "image/png), multipart/form-data or application/json")
    }
  }

  private mutating func read(json body: [UInt8]) throws(HTTPFault) {
    guard let text = String(validating: body, as: UTF8.self) else {
      throw HTTPFault(.badRequest, "the body is not UTF-8 text")
    }
    let document: JSONValue
    do {
      document = try JSONValue(parsing: text, source: "the body")
    } catch {
      throw HTTPFault(.badRequest, "\(error)")
    }
    guard let fields = document.object else {
      throw HTTPFault(.badRequest, "the body is JSON, but no object")
    }
    for (name, value) in fields {
      switch value {
      case .null: continue
      case .string(let text) where ["picture", "image"].contains(name):
        // As a page gives it: data:image/png;base64,…
        let code = text.hasPrefix("data:") ? text.drop { $0 != "," }.dropFirst() : text[...]
        guard let data = Data(base64Encoded: String(code), options: .ignoreUnknownCharacters),
          !data.isEmpty
        else { throw HTTPFault(.badRequest, "field \"\(name)\" is not base64") }
        picture = Array(data)
      case .string(let text): texts[name, default: []].append(text)
      case .number(let number): texts[name, default: []].append("\(number)")
      case .bool(let value): texts[name, default: []].append("\(value)")
      case .array(let list) where list.allSatisfy({ $0.string != nil }):
        texts[name, default: []] += list.compactMap(\.string)
      default:
        throw HTTPFault(
          .badRequest, "field \"\(name)\" is neither text, a number nor a list of texts")
      }
    }
  }

  /// The picture's file.
  ///
  /// - Throws: ``HTTPFault`` when there is none.
  func requiredPicture() throws(HTTPFault) -> [UInt8] {
    guard let picture, !picture.isEmpty else {
      throw HTTPFault(
        .badRequest,
        "there is no picture: send it as the body, as the file \"picture\" of a form, or as base64 "
          + "in the field \"picture\" of JSON")
    }
    return picture
  }

  /// Names, each once, with commas or line ends between them.
  ///
  /// - Parameter limits: How many there may be, and how long.
  /// - Returns: The names; nil when the request says nothing about them.
  /// - Throws: ``HTTPFault`` when there are too many, or one is too long or no name.
  func words(_ limits: ServerLimits) throws(HTTPFault) -> [String]? {
    guard let given = texts["words"] else { return nil }
    var words: [String] = []
    var seen: Set<String> = []
    for word in given.flatMap({ $0.split { $0 == "," || $0.isNewline } }) {
      let word = word.trimmed
      // What prompts make of a name counts, so that "Cat" is "cat".
      guard !word.isEmpty, seen.insert(ClassName.plain(word)).inserted else { continue }
      guard word.unicodeScalars.count <= limits.wordLength,
        !word.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
      else {
        throw HTTPFault(
          .unprocessable, "a word has more than \(limits.wordLength, "character") or is no text")
      }
      guard words.count < limits.words else {
        throw HTTPFault(.unprocessable, "there are more than \(limits.words, "word")")
      }
      words.append(word)
    }
    return words.isEmpty ? nil : words
  }

  /// A number within bounds.
  ///
  /// - Parameters:
  ///   - name: The field.
  ///   - bounds: What it may be.
  /// - Returns: The number; nil when it is not given.
  /// - Throws: ``HTTPFault`` when it is no number or out of bounds.
  func number(_ name: String, in bounds: ClosedRange<Double>) throws(HTTPFault) -> Double? {
    guard let text = texts[name]?.last else { return nil }
    guard let value = Double(text.trimmed), bounds.contains(value) else {
      throw HTTPFault(
        .unprocessable,
        "field \"\(name)\" is \"\(text.prefix(40))\"; give a number from \(Self.text(bounds.lowerBound)) "
          + "to \(Self.text(bounds.upperBound))")
    }
    return value
  }

  /// A whole number within bounds.
  ///
  /// - Parameters:
  ///   - name: The field.
  ///   - bounds: What it may be.
  /// - Returns: The number; nil when it is not given.
  /// - Throws: ``HTTPFault`` when it is no whole number or out of bounds.
  func count(_ name: String, in bounds: ClosedRange<Int>) throws(HTTPFault) -> Int? {
    let limits = Double(bounds.lowerBound)...Double(bounds.upperBound)
    guard let value = try number(name, in: limits) else { return nil }
    guard let count = Int(exactly: value) else {
      throw HTTPFault(.unprocessable, "field \"\(name)\" is \(value); give a whole number")
    }
    return count
  }

  /// A yes or no.
  ///
  /// - Parameter name: The field.
  /// - Returns: Whether it is there and says yes.
  /// - Throws: ``HTTPFault`` when it says neither.
  func flag(_ name: String) throws(HTTPFault) -> Bool {
    switch texts[name]?.last?.trimmed.lowercased() {
    case nil, "false", "0", "no", "off": return false
    case "", "true", "1", "yes", "on": return true
    case let text?:
      throw HTTPFault(
        .unprocessable, "field \"\(name)\" is \"\(text.prefix(40))\"; give true or false")
    }
  }

  private static func text(_ value: Double) -> String {
    Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}
