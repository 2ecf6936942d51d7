import Formats

extension TuningRecord {
  /// The record as a document.
  package var json: JSONValue {
    [
      "format": .number(Double(Self.format)), "device": .string(key.device),
      "platform": .string(key.platform), "driver": .string(key.driver),
      "family": .string(key.family.rawValue), "source": .string(key.source),
      "entries": .object(entries.mapValues(\.json)),
      "searches": .object(searches.mapValues { .array($0.map { .string($0) }) }),
      "comparisons": .object(comparisons.mapValues(\.json)),
    ]
  }

  /// Reads a record.
  ///
  /// - Parameters:
  ///   - document: The document.
  ///   - source: What errors call it.
  /// - Throws: `FormatError` naming the field that is missing or wrong.
  package init(_ document: JSONValue, source: String) throws {
    let reader = Reader(document, source: source)
    let format = try reader.integer("format")
    guard format == Self.format else {
      throw FormatError(source, place: "format", "is \(format), not \(Self.format)")
    }
    let name = try reader.text("family")
    guard let family = DeviceFamily(rawValue: name) else {
      throw FormatError(source, place: "family", "there are no '\(name)' kernels")
    }
    self.init(
      key: Key(
        device: try reader.text("device"), platform: try reader.text("platform"),
        driver: try reader.text("driver"), family: family, source: try reader.text("source")))
    entries = try reader.members("entries").mapValues { try Entry($0) }
    searches = try reader.texts("searches")
    comparisons = try reader.members("comparisons").mapValues { try Comparison($0) }
  }
}

extension TuningRecord.Entry {
  fileprivate var json: JSONValue {
    [
      "calls": .number(Double(calls)), "seconds": .number(seconds), "score": .number(score),
      "parameters": parameters.map { TuningRecord.json($0) } ?? .null,
      "accepted": .bool(isAccepted), "attempts": .array(attempts.map(\.json)),
    ]
  }

  fileprivate init(_ reader: Reader) throws {
    calls = try reader.integer("calls")
    seconds = try reader.number("seconds")
    score = try reader.number("score")
    isAccepted = try reader.truth("accepted")
    parameters = reader.has("parameters") ? try reader.parameters("parameters") : nil
    attempts = try reader.elements("attempts").map { try .init($0) }
  }
}

extension TuningRecord.Attempt {
  fileprivate var json: JSONValue {
    var members: [String: JSONValue] = ["parameters": TuningRecord.json(parameters)]
    members["seconds"] = seconds.map { .number($0) }
    members["error"] = error.map { .number($0) }
    members["score"] = score.map { .number($0) }
    members["rejected"] = rejection.map { .string($0) }
    return .object(members)
  }

  fileprivate init(_ reader: Reader) throws {
    parameters = try reader.parameters("parameters")
    // A number that JSON cannot hold, an error of NaN for example, is as good as none.
    seconds = reader.has("seconds") ? try reader.number("seconds") : nil
    error = reader.has("error") ? try reader.number("error") : nil
    score = reader.has("score") ? try reader.number("score") : nil
    rejection = reader.has("rejected") ? try reader.text("rejected") : nil
  }
}

extension TuningRecord.Comparison {
  /// The comparison as a document.
  package var json: JSONValue {
    [
      "shipped_seconds": .number(shipped), "tuned_seconds": .number(tuned),
      "noise_seconds": .number(noise), "rounds": .number(Double(rounds)), "won": .bool(isWon),
    ]
  }

  fileprivate init(_ reader: Reader) throws {
    shipped = try reader.number("shipped_seconds")
    tuned = try reader.number("tuned_seconds")
    noise = try reader.number("noise_seconds")
    rounds = try reader.integer("rounds")
  }
}

extension TuningRecord {
  fileprivate static func json(_ parameters: Parameters) -> JSONValue {
    .object(parameters.mapValues { .number(Double($0)) })
  }
}

/// Fields of an object, with errors that name them.
private struct Reader {
  let document: JSONValue
  let source: String
  let path: String

  init(_ document: JSONValue, source: String, path: String = "") {
    self.document = document
    self.source = source
    self.path = path
  }

  private func error(_ name: String, _ kind: String) -> FormatError {
    FormatError(source, place: path + name, "must be \(kind)")
  }

  func has(_ name: String) -> Bool { (document[name] ?? .null) != .null }

  func text(_ name: String) throws -> String {
    guard let text = document[name]?.string else { throw error(name, "a text") }
    return text
  }

  func number(_ name: String) throws -> Double {
    guard let number = document[name]?.number else { throw error(name, "a number") }
    return number
  }

  func integer(_ name: String) throws -> Int {
    guard let number = document[name]?.integer else { throw error(name, "a whole number") }
    return number
  }

  func truth(_ name: String) throws -> Bool {
    guard let value = document[name]?.bool else { throw error(name, "true or false") }
    return value
  }

  func parameters(_ name: String) throws -> TuningRecord.Parameters {
    guard let members = document[name]?.object else { throw error(name, "an object") }
    return try members.mapValues {
      guard let value = $0.integer else { throw error(name, "an object of whole numbers") }
      return value
    }
  }

  func members(_ name: String) throws -> [String: Reader] {
    guard let members = document[name]?.object else { throw error(name, "an object") }
    return Dictionary(
      uniqueKeysWithValues: members.map {
        ($0, Reader($1, source: source, path: "\(path)\(name).\($0)."))
      })
  }

  func texts(_ name: String) throws -> [String: [String]] {
    guard let members = document[name]?.object else { throw error(name, "an object") }
    return try members.mapValues {
      guard let list = $0.array, !list.contains(where: { $0.string == nil }) else {
        throw error(name, "an object of lists of texts")
      }
      return list.compactMap(\.string)
    }
  }

  func elements(_ name: String) throws -> [Reader] {
    guard let elements = document[name]?.array else { throw error(name, "a list") }
    return elements.enumerated().map {
      Reader($1, source: source, path: "\(path)\(name)[\($0)].")
    }
  }
}
