import Annotations
import Baron
import CLIP
import Checkpoints
import Evaluation
import Formats
import Foundation
import Layers

/// A look at all that a training needs, before its first step and without a device: every file, name
/// and picture, each fault with its key and remedy, and none of them the last word.
package struct RunCheck {
  /// What was found, the worst first.
  package var findings: [Finding] {
    found.enumerated().sorted {
      ($0.element.severity, $0.offset) < ($1.element.severity, $1.offset)
    }.map(\.element)
  }
  /// The boxes of each class; nil when the training annotations cannot be read.
  package private(set) var classes: ClassCounts?
  /// Images that will be evaluated, 0 for none.
  package private(set) var validationImages = 0
  /// Pictures that were opened and pictures in all.
  package private(set) var pictures = (opened: 0, total: 0)
  /// Bytes on disk that checkpoints will take, and free bytes, where known.
  package private(set) var disk: (needed: Int, free: Int)?
  /// Bytes of the queues of all replicas once they are full, where known.
  package private(set) var queueBytes = 0
  /// What was looked at.
  package let configuration: RunConfiguration

  private var found: [Finding] = []
  private let deadline: Double
  private let unset: Set<String>
  private var indexes: [String: AnnotationIndex] = [:]

  /// Loads a configuration and looks at it; what is wrong with single keys is found like all else.
  ///
  /// - Parameters:
  ///   - name: A preset or a file.
  ///   - overrides: Texts `section.key=value`.
  ///   - seconds: How long pictures are opened; the rest takes what it takes.
  /// - Throws: ``ConfigurationError`` when the file is missing or no YAML.
  package init(_ name: String, overrides: [String], seconds: Double) throws {
    let (configuration, faults) = try RunConfiguration.loadWhole(name, overrides: overrides)
    let unset = faults.compactMap { fault in
      if case .unsetVariable(_, let key, _) = fault { key } else { nil }
    }
    self.init(
      configuration, faults: Self.findings(faults), unset: Set(unset), seconds: seconds)
  }

  /// Looks at a configuration.
  ///
  /// - Parameters:
  ///   - configuration: The configuration.
  ///   - faults: What was found before.
  ///   - unset: Keys whose paths nobody knows, told already.
  ///   - seconds: How long pictures are opened.
  package init(
    _ configuration: RunConfiguration, faults: [Finding] = [], unset: Set<String> = [],
    seconds: Double
  ) {
    self.configuration = configuration
    self.unset = unset
    found = faults
    deadline = MonotonicClock.seconds + seconds
    Activity.during("looking at the configuration's files") { look() }
  }

  /// A line for each fault; a variable that is not set is told once.
  private static func findings(_ faults: [ConfigurationError]) -> [Finding] {
    var findings: [Finding] = []
    var keys: [String: [String]] = [:]
    for case .unsetVariable(_, let key, let variable) in faults {
      keys[variable, default: []] += [key]
    }
    for fault in faults {
      if case .unsetVariable(_, let key, let variable) = fault {
        guard let all = keys[variable], all.first == key else { continue }
        let others = all.count > 1 ? " (as do \(all.count - 1, "other key"))" : ""
        findings.append(Finding(fault, adding: others))
      } else {
        findings.append(Finding(fault))
      }
    }
    return findings
  }

  private var data: RunConfiguration.Data { configuration.data }

  private mutating func look() {
    for key in configuration.missingForTraining where !unset.contains(key) {
      add(key, ConfigurationError.missing(key: key))
    }
    let split = look(atSplit: data.classSplit)
    look(atTraining: split)
    lookAtAlignment()
    lookAtCaptions()
    look(atValidation: split)
    lookAtModels()
  }

  // MARK: Helpers

  private mutating func add(_ key: String, _ error: any Error) { found.append(Finding(key, error)) }

  private mutating func add(_ severity: Finding.Severity, _ key: String, _ text: String) {
    found.append(Finding(severity, key, text))
  }

  /// What a function gives, or nil and a finding.
  @discardableResult
  private mutating func attempt<Result>(
    _ key: String, _ body: () throws -> Result
  ) -> Result? {
    do {
      return try body()
    } catch {
      add(key, error)
      return nil
    }
  }

  /// Reads an annotation file once, however many keys name it.
  private mutating func index(_ path: String, _ key: String) -> AnnotationIndex? {
    guard !path.isEmpty else { return nil }
    if let known = indexes[path] { return known }
    guard let index = attempt(key, { try AnnotationIndex(path: path) }) else { return nil }
    for line in index.warnings { add(.note, key, "\(path): \(line)") }
    indexes[path] = index
    return index
  }

  private mutating func look(
    atPictures records: [COCOAnnotations.ImageRecord], _ key: String, _ folder: String,
    of source: String
  ) {
    guard !folder.isEmpty else { return }
    let (findings, opened) = PictureCheck(
      key: key, folder: folder, source: source, records: records
    ).run(until: deadline)
    found += findings
    pictures.opened += opened
    pictures.total += records.count
  }

  // MARK: Data

  /// Nil for the split of LVIS, which each file brings.
  private mutating func look(atSplit name: String) -> OpenVocabularySplit? {
    guard !name.isEmpty, name != RunConfiguration.Data.openVocabularyLVIS else { return nil }
    return attempt("data.class_split") {
      try TrainingData.split(classSplit: name, of: [], in: "")
    }
  }

  private mutating func look(atTraining given: OpenVocabularySplit?) {
    let key = "data.train_annotations"
    guard let index = index(data.trainAnnotations, key) else {
      // The folder is looked at all the same: both may be wrong.
      requireFolder(data.trainImages, "data.train_images")
      return
    }
    guard let all = attempt(key, { try COCOAnnotations(index) }) else { return }
    var split = given
    if data.classSplit == RunConfiguration.Data.openVocabularyLVIS {
      split = attempt("data.class_split") {
        try OpenVocabularySplit(frequenciesOf: index.categories, source: index.path)
      }
    }
    for line in all.report.warnings { add(.note, key, "\(index.path): \(line)") }
    let counts = ClassCounts(all, split: split)
    classes = counts
    if let split, look(atNames: split, in: index, counts) {
      look(atBoxes: split, in: index, counts)
    }
    look(atPictures: all.images, "data.train_images", data.trainImages, of: index.path)
  }

  /// Answers whether all base names are listed.
  private mutating func look(
    atNames split: OpenVocabularySplit, in index: AnnotationIndex, _ counts: ClassCounts
  ) -> Bool {
    let key = "data.class_split"
    let listed = Set(index.categories.map(\.name))
    let unknown = split.base.filter { !listed.contains($0) }
    // One wrong name is worth a line; a split of another data set is worth one for all.
    if unknown.count > Self.mostNames {
      add(
        .error, key,
        "\(split.source): \(unknown.count) of its \(split.base.count, "base class") "
          + "\(unknown.count.verb("is", "are")) not in "
          + "\(index.path), \(Self.list(unknown)); give a file {\"base\": [names], \"novel\": "
          + "[names]} of the classes there, as 'baron init' writes it")
      return false
    }
    for name in unknown {
      attempt(key) {
        try DatasetError.naming(key) {
          try index.categories.labels(of: [name], source: split.source)
        }
      }
    }
    let empty = counts.rows.filter {
      $0.group == "base" && $0.boxes == 0 && listed.contains($0.name)
    }.map(\.name)
    if !empty.isEmpty {
      add(
        .warning, key,
        "\(index.path): no box of \(Self.list(empty)): a base class without boxes learns to be "
          + "never found; make it novel or take it out")
    }
    let neither = counts.rows.filter { $0.group.isEmpty && $0.boxes > 0 }.map(\.name)
    if !neither.isEmpty {
      add(
        .note, key,
        "\(split.source): \(Self.list(neither)) of \(index.path) is neither base nor novel: its "
          + "boxes are left out")
    }
    return unknown.isEmpty
  }

  /// What the training itself would refuse: no box of a base class, or none with a mask.
  private mutating func look(
    atBoxes split: OpenVocabularySplit, in index: AnnotationIndex, _ counts: ClassCounts
  ) {
    let usesMasks = configuration.model.mask.enabled
    guard usesMasks || counts.rows.allSatisfy({ $0.group != "base" || $0.boxes == 0 }) else {
      return
    }
    let warning = attempt("data.train_annotations") {
      let base = try COCOAnnotations(index, keeping: split.base)
      try base.requireBoxes(in: Array(base.images.indices))
      return usesMasks ? try base.maskWarning(SegmentationReader(index)) : nil
    }
    if let line = warning ?? nil {
      add(.warning, "data.train_annotations", "\(index.path): \(line)")
    }
  }

  private static let mostNames = 5

  private static func list(_ names: [String]) -> String {
    names.prefix(mostNames).map { "\"\($0)\"" }.joined(separator: ", ")
      + (names.count > mostNames ? " and \(names.count - mostNames) more" : "")
  }

  private mutating func lookAtAlignment() {
    guard configuration.methods.contains(where: { $0.stream == .alignment }),
      data.alignmentAnnotations != data.trainAnnotations
        || data.alignmentImages != data.trainImages
    else { return }
    guard let index = index(data.alignmentAnnotations, "data.alignment_annotations") else {
      requireFolder(data.alignmentImages, "data.alignment_images")
      return
    }
    look(
      atPictures: (0..<index.imageCount).map { index.image(at: $0) }, "data.alignment_images",
      data.alignmentImages, of: index.path)
  }

  private mutating func lookAtCaptions() {
    guard configuration.methods.contains(where: { $0.stream == .captions }) else { return }
    let folderKey =
      data.captionImages == data.trainImages ? "data.train_images" : "data.caption_images"
    guard !data.captionAnnotations.isEmpty,
      let captions = attempt(
        "data.caption_annotations", { [data] in try Captions(path: data.captionAnnotations) })
    else {
      requireFolder(data.captionImages, folderKey)
      return
    }
    if !data.captionClasses.isEmpty {
      attempt("data.caption_classes") { [data] in try ClassMentions(path: data.captionClasses) }
    }
    look(
      atPictures: captions.images, folderKey, data.captionImages, of: data.captionAnnotations)
  }

  private mutating func look(atValidation split: OpenVocabularySplit?) {
    guard configuration.training.evaluateEvery > 0, !data.validationAnnotations.isEmpty else {
      return
    }
    let key = "data.validation_annotations"
    guard let index = index(data.validationAnnotations, key) else {
      requireFolder(data.validationImages, "data.validation_images")
      return
    }
    validationImages = index.imageCount
    if data.validationImages.isEmpty {
      add("data.validation_images", ConfigurationError.missing(key: "data.validation_images"))
    }
    look(
      atPictures: (0..<index.imageCount).map { index.image(at: $0) }, "data.validation_images",
      data.validationImages, of: index.path)
    // Without a split nothing can be said of the protocol.
    guard split != nil || data.classSplit == RunConfiguration.Data.openVocabularyLVIS else {
      return
    }
    var lines: [String] = []
    attempt(key) { [configuration] in
      try ValidationRun(configuration).checkProtocol { lines.append($0) }
    }
    for line in lines { add(.note, key, line) }
  }

  private mutating func requireFolder(_ path: String, _ key: String) {
    guard !path.isEmpty, !found.contains(where: { $0.key == key }) else { return }
    var isFolder: ObjCBool = false
    guard
      !FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) || !isFolder.boolValue
    else { return }
    add(.error, key, "\(path): no such folder; give the folder that the pictures' names start from")
  }

  // MARK: Models

  private mutating func lookAtModels() {
    if !configuration.clip.folder.isEmpty {
      let folder = configuration.clip.folder
      let clip = attempt("clip.folder") {
        let weights = try CLIPWeights(folder: folder)
        _ = try Tokenizer(folder: folder)
        return weights.configuration
      }
      if let clip {
        attempt("model.head.words") { [configuration] in try configuration.check(clip: clip) }
        lookAtDisk(clip)
      }
    }
    if !configuration.clip.classEmbeddings.isEmpty {
      attempt("clip.class_embeddings") { [configuration] in
        try ClassEmbeddingsFile(path: configuration.clip.classEmbeddings)
      }
    }
    guard !configuration.model.start.isEmpty else { return }
    attempt("model.start") { [configuration] in
      try StartWeights(start: configuration.model.start).check(configuration.model.backbone)
    }
  }

  private mutating func lookAtDisk(_ clip: CLIPConfiguration) {
    queueBytes = configuration.queueBytes(clip: clip)
    let need = DiskNeed(configuration, clip: clip)
    guard let free = DiskNeed.free(at: "runs") else { return }
    disk = (need.bytes, free)
    guard free < need.bytes else { return }
    add(
      .warning, "training.keep_checkpoints",
      "runs: checkpoints take about \(need.bytes >> 20) MiB, but \(free >> 20) MiB are free; make "
        + "room, or keep fewer")
  }
}

extension ConfigurationError {
  /// The key that it is about; empty for a whole file.
  var key: String {
    switch self {
    case .unknownName, .unreadable, .syntax, .override, .circularBase: ""
    case .unknownKey(_, let section, let key, _): section.isEmpty ? key : "\(section).\(key)"
    case .value(_, let key, _, _), .conflict(_, let key, _), .unsetVariable(_, let key, _),
      .missing(let key):
      key
    }
  }
}
