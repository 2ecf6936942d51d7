import Annotations
import Checkpoints
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Tensors

/// Embeds class names with the text encoder of a CLIP folder, or finds them embedded already.
package struct ClassEmbedder {
  /// The text encoder.
  package let encoder: TextEncoder
  /// The encoder's tokenizer.
  package let tokenizer: Tokenizer
  private let folder: String
  private let templates: [String]
  private let cache: ClassEmbeddingsCache?

  /// Uses an encoder that is loaded already.
  ///
  /// - Parameters:
  ///   - folder: The CLIP folder that encoder and tokenizer come from.
  ///   - encoder: The text encoder.
  ///   - templates: Sentences with `{name}` and `{article}`; empty for the published 63.
  ///   - cache: Where embeddings are kept; nil encodes each time.
  /// - Throws: `TokenizerError`, `FormatError` or `CheckpointError` when the folder's vocabulary is
  ///   missing, damaged or too large for the encoder.
  package init(
    folder: String, encoder: TextEncoder, templates: [String] = [],
    cache: ClassEmbeddingsCache? = .standard
  ) throws {
    self.encoder = encoder
    self.folder = folder
    self.templates = templates
    self.cache = cache
    tokenizer = try Tokenizer(folder: folder)
    guard tokenizer.vocabularySize <= encoder.configuration.vocabularySize else {
      throw CheckpointError.configuration(
        path: folder, field: "vocab_size",
        reason: "the tokenizer has \(tokenizer.vocabularySize, "token"), the weights only "
          + "\(encoder.configuration.vocabularySize); take both from one model")
    }
  }

  /// The embeddings of classes.
  ///
  /// - Parameters:
  ///   - classes: The classes, at least one; synonyms count as their class's name does.
  ///   - features: The kinds that are wanted; together they take one pass.
  ///   - progress: Gets the number of names that are encoded and that of all; not called for what
  ///     was kept.
  /// - Returns: For each kind one unit row a class.
  /// - Throws: ``TokenizerError`` for a name that does not fit the context; `OpenCLError`.
  package func embed(
    _ classes: [ClassName], features: [EmbeddingFeature],
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> [EmbeddingFeature: EmbeddingMatrix] {
    var found: [EmbeddingFeature: EmbeddingMatrix] = [:]
    let kept = cache.flatMap { work(classes) >= $0.minimumWork ? $0 : nil }
    let identity = try kept == nil ? nil : self.identity(of: classes)
    if let kept, let identity {
      for feature in features {
        found[feature] = kept.load(
          Self.key(identity, feature), feature, count: classes.count,
          width: feature.width(of: encoder.configuration))
      }
    }
    let missing = features.filter { found[$0] == nil }
    guard !missing.isEmpty else { return found }
    let matrices = try encode(classes, missing, progress: progress)
    for (feature, matrix) in zip(missing, matrices) {
      found[feature] = matrix
      if let kept, let identity {
        kept.store(matrix, Self.key(identity, feature), feature, of: classes)
      }
    }
    return found
  }

  /// The embeddings of one kind, of which nothing is looked up or kept on disk.
  ///
  /// - Parameters:
  ///   - classes: The classes, at least one.
  ///   - feature: The kind.
  /// - Returns: One unit row a class.
  /// - Throws: As ``embed(_:features:progress:)``.
  package func encode(
    _ classes: [ClassName], _ feature: EmbeddingFeature
  ) throws -> EmbeddingMatrix { try encode(classes, [feature])[0] }

  private func encode(
    _ classes: [ClassName], _ features: [EmbeddingFeature],
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> [EmbeddingMatrix] {
    try ClassEmbeddings.encode(
      classes, tokenizer: tokenizer, encoder: encoder,
      outputs: features.map { $0.output(of: encoder.configuration) },
      templates: { PromptTemplates.texts(for: $0, templates: templates) }, progress: progress)
  }

  /// The embeddings of one kind.
  ///
  /// - Parameters:
  ///   - classes: The classes, at least one.
  ///   - feature: The kind.
  /// - Returns: One unit row a class.
  /// - Throws: As ``embed(_:features:progress:)``.
  package func embed(_ classes: [ClassName], _ feature: EmbeddingFeature) throws -> EmbeddingMatrix
  {
    guard let matrix = try embed(classes, features: [feature])[feature] else {
      preconditionFailure("a kind that was asked for is missing")
    }
    return matrix
  }

  /// Sentences times the weights that each passes, token embeddings left out.
  private func work(_ classes: [ClassName]) -> Double {
    let sizes = encoder.configuration
    let weights = sizes.textWeightCount - sizes.vocabularySize * sizes.text.width
    let sentences = templates.isEmpty ? PromptTemplates.count : templates.count
    return Double(classes.reduce(0) { $0 + $1.all.count } * sentences) * Double(weights)
  }

  /// All that decides the numbers apart from the kind; nil when the weights' file is gone or a kernel
  /// author tries other kernels.
  private func identity(of classes: [ClassName]) throws -> String? {
    let environment = ProcessInfo.processInfo.environment
    let paths = try HuggingFaceCLIP(folder: folder).weightFiles()
    let marks = paths.compactMap(FileMark.init)
    guard environment["BARON_KERNELS"] ?? "" == "", marks.count == paths.count else { return nil }
    func list(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
    let files = try (["\(folder)/config.json"] + Tokenizer.files(of: folder)).map {
      try SHA256.hexadecimal(ofFile: $0)
    }
    let (stream, device) = (encoder.stream, encoder.stream.device)
    // Other devices, kernels or plans add up in another order: a run must not depend on who was
    // first to fill the cache.
    let arithmetic = [
      device.platformName, device.name, device.version, device.driver, stream.family.rawValue,
      stream.matrix.kernelName, stream.activationType.rawValue, "\(stream.isExact)",
      stream.queue.context.tuning?.digest ?? "", Self.kernels, "a row alike in every company",
    ]
    let parts: JSONValue = [
      "weights": list(
        marks.flatMap { mark in
          [mark.size, mark.seconds, mark.nanoseconds].map { "\($0)" }
            + [mark.digest.map { String($0, radix: 16) }.joined(separator: " ")]
        }),
      "files": list(files),
      "templates": list(PromptTemplates.texts(for: "name", templates: templates)),
      "arithmetic": list(arithmetic),
      "classes": .array(classes.map { list($0.all) }),
    ]
    return parts.text()
  }

  private static func key(_ identity: String, _ feature: EmbeddingFeature) -> String {
    var digest = SHA256()
    digest.update("\(ClassEmbeddingsFile.format) \(feature.rawValue) \(identity)")
    return digest.hexadecimal()
  }

  private static let kernels: String = {
    var digest = SHA256()
    for (_, text) in KernelSource.embedded.sorted(by: { $0.key < $1.key }) { digest.update(text) }
    return digest.hexadecimal()
  }()
}
