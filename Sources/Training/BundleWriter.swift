import Annotations
import Checkpoints
import Formats
import Foundation

/// Writes a ``ModelBundle``.
///
/// | part | what it is |
/// | --- | --- |
/// | `baron.json` | the list of parts with digests, classes, scores, where the model comes from |
/// | `config.yaml` | the run's configuration; paths of data are left out |
/// | `detector.safetensors` | the weights as the run kept them |
/// | `clip/` | the text tower of CLIP with its tokenizer; no image tower |
/// | `class-embeddings.…` | the file of `clip.class_embeddings`, if there is one |
/// | `classes.json` | base and novel classes, unless the split has a name of its own |
/// | `thresholds.json` | scores worth showing, if the run has them |
/// | `LICENCES.txt` | notes about what may be done with it |
package struct BundleWriter {
  /// The model.
  package let location: ModelLocation
  /// The CLIP folder; nil takes the configuration's.
  package let clipFolder: String?
  /// Program and commit, for the manifest.
  package let program: String
  /// A text of the user's about the model's licence.
  package let licence: String?

  package init(
    location: ModelLocation, clipFolder: String?, program: String, licence: String? = nil
  ) {
    self.location = location
    self.clipFolder = clipFolder
    self.program = program
    self.licence = licence
  }

  /// Writes the file, then reads it back as every user will.
  ///
  /// - Parameters:
  ///   - path: The file's path; its folder must exist.
  ///   - warn: Gets one line for what the bundle lacks.
  /// - Returns: The bundle.
  /// - Throws: `CheckpointError`, `FormatError` when something cannot be read or written.
  package func write(to path: String, warn: (String) -> Void) throws -> ModelBundle {
    let scratch = try TemporaryFolder("export")
    var configuration = location.configuration
    let folder = clipFolder ?? configuration.clip.folder
    var parts = [
      ZipWriter.Part(ModelBundle.detectorName, file: try detector(in: scratch.path))
    ]
    parts += try textTower(of: folder, in: scratch.path)
    configuration.clip.folder = Self.place(ModelBundle.clipFolder)
    if !configuration.clip.classEmbeddings.isEmpty {
      let source = configuration.clip.classEmbeddings
      let name = "class-embeddings.\(URL(filePath: source).pathExtension)"
      parts.append(.init(name, file: source))
      configuration.clip.classEmbeddings = Self.place(name)
    }
    let classes = classes(warn: warn)
    if let split = Self.split(of: &configuration, warn: warn) {
      parts.append(.init(ModelBundle.classSplitName, data: Self.data(split)))
    }
    Self.forgetPaths(&configuration)
    if let thresholds = location.thresholds {
      parts.append(.init(ModelBundle.thresholdsName, data: Self.data(thresholds.json)))
    }
    parts.append(.init(ModelBundle.licencesName, data: Data(licences(folder).utf8)))
    parts.insert(
      .init(ModelBundle.configurationName, data: Data(configuration.yaml().utf8)), at: 0)
    let manifest = try manifest(parts, classes)
    try ZipWriter.write(
      [.init(ModelBundle.manifestName, data: Self.data(manifest))] + parts, to: path)
    return try ModelBundle(path: path)
  }

  private static func place(_ part: String) -> String { "${\(ModelBundle.variable)}/\(part)" }

  private static func data(_ value: JSONValue) -> Data {
    Data((value.text(pretty: true) + "\n").utf8)
  }

  /// The weights byte by byte, or as safetensors where they come as something else.
  private func detector(in folder: String) throws -> String {
    let path = location.weightsPath
    let source = try openWeights(path: path)
    if source is SafeTensorsFile { return path }
    let copy = "\(folder)/\(ModelBundle.detectorName)"
    try WeightConversion(source, to: nil).write(to: copy)
    return copy
  }

  private func textTower(of folder: String, in scratch: String) throws -> [ZipWriter.Part] {
    let weights = "\(scratch)/text.safetensors"
    try CLIPWeights(folder: folder).writeTextTower(to: weights)
    let place = ModelBundle.clipFolder
    let tokenizer = ["vocab.json", "merges.txt", "tokenizer.json"].filter {
      RegularFile.exists("\(folder)/\($0)")
    }
    return [.init("\(place)/config.json", file: "\(folder)/config.json")]
      + [.init("\(place)/model.safetensors", file: weights)]
      + tokenizer.map { .init("\(place)/\($0)", file: "\(folder)/\($0)") }
  }

  /// The classes of the data set with their groups, as far as they can be read.
  private func classes(warn: (String) -> Void) -> [ModelBundle.NamedClass] {
    do {
      return try location.classes()
    } catch {
      warn("the run's classes cannot be read (\(error)); who uses the file gives --vocabulary")
      return []
    }
  }

  /// A split that is a file now, as a part; a split with a name of its own needs none.
  private static func split(
    of configuration: inout RunConfiguration, warn: (String) -> Void
  ) -> JSONValue? {
    let named = [
      RunConfiguration.Data.openVocabularyCOCO, RunConfiguration.Data.openVocabularyLVIS,
    ]
    guard !named.contains(configuration.data.classSplit) else { return nil }
    let path = configuration.data.classSplit
    configuration.data.classSplit = place(ModelBundle.classSplitName)
    func list(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
    do {
      let split = try OpenVocabularySplit(path: path)
      return ["base": list(split.base), "novel": list(split.novel)]
    } catch {
      // What asks for the split is told that the part is not there, as the run would be.
      warn("the classes of training cannot be read (\(error)); in the file they do not compete")
      return nil
    }
  }

  /// Paths of data say nothing on another machine, and something about this one.
  private static func forgetPaths(_ configuration: inout RunConfiguration) {
    configuration.model.start = ""
    var data = configuration.data
    data.trainAnnotations = ""
    data.trainImages = ""
    data.alignmentAnnotations = ""
    data.alignmentImages = ""
    data.captionAnnotations = ""
    data.captionImages = ""
    data.captionClasses = ""
    data.validationAnnotations = ""
    data.validationImages = ""
    configuration.data = data
  }

  private func licences(_ clip: String) -> String {
    var text = """
      What this file is made of, and whose it is

      detector.safetensors, config.yaml: weights and settings of a run of Baron. The program does not
      know the licences of the pictures and annotations that they were trained with.
      clip/: the text tower of the CLIP model that the run was trained against, unchanged; its
      publisher's licence holds. OpenAI's models are under the MIT licence.

      """
    if let licence { text += "\nFrom the person who exported it:\n\n\(licence)\n" }
    for name in ["LICENSE", "LICENSE.txt", "LICENSE.md"] {
      guard let found = try? RegularFile.text("\(clip)/\(name)", limit: 1 << 20) else { continue }
      text += "\nThe CLIP folder's \(name):\n\n\(found)\n"
    }
    return text
  }

  private func manifest(
    _ parts: [ZipWriter.Part], _ classes: [ModelBundle.NamedClass]
  ) throws -> JSONValue {
    var fields: [String: JSONValue] = [
      "format": .string(ModelBundle.format), "version": .number(Double(ModelBundle.version)),
      "program": .string(program), "name": .string(location.name),
      "classes": .array(
        classes.map {
          ["name": .string($0.name), "base": $0.isBase.map { .bool($0) } ?? .null]
        }),
      "parts": .array(
        try parts.map { part in
          try part.read { bytes in
            var digest = SHA256()
            digest.update(bytes)
            return [
              "name": .string(part.name), "bytes": .number(Double(bytes.count)),
              "sha256": .string(digest.hexadecimal()),
            ]
          }
        }),
    ]
    if let iteration = location.iteration { fields["iteration"] = .number(Double(iteration)) }
    if let scores { fields["scores"] = scores }
    return .object(fields)
  }

  /// The measures of the run's evaluation after these iterations.
  private var scores: JSONValue? {
    if let bundle = location.bundle { return bundle.manifest["scores"] }
    guard let iteration = location.iteration,
      let all = try? JSONValue(
        contentsOf: "\(location.run)/scores/iteration-\(iteration).json")
    else { return nil }
    return .object(
      Dictionary(
        RunScores.names(in: all).compactMap { name in
          RunScores.measure(name, in: all).map { (name, $0) }
        }
      ) { first, _ in first })
  }
}
