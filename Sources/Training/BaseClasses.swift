import Annotations
import CLIP

extension RunConfiguration {
  /// For each name whether the combined scores of two heads lean on the main one: it is a base class
  /// of the configuration's split (spec detector 2.8).
  ///
  /// Without two heads, or with one proportion for all classes, nothing is read.
  ///
  /// - Parameters:
  ///   - names: Class names.
  ///   - base: The base classes, where they are known; nil reads the split.
  /// - Returns: One flag a name.
  /// - Throws: `DatasetError` when the split's files cannot be read.
  func leansOnMainHead(_ names: [String], base: [String]? = nil) throws -> [Bool] {
    guard model.head.ensemble == .split else {
      return [Bool](repeating: true, count: names.count)
    }
    let classes: [String]
    do {
      classes = try base ?? baseClasses()
    } catch let error as DatasetError where data.classSplit == Data.openVocabularyLVIS {
      throw DatasetError.record(
        file: "model.head.ensemble", place: "", field: "",
        reason:
          "is split, which needs the base classes of LVIS, but they cannot be read (\(error)); "
          + "give data.validation_annotations, a file with its categories alone will do, or set "
          + "model.head.ensemble to uniform")
    }
    // What the prompts make of a name counts.
    let known = Set(classes.map(ClassName.plain))
    return names.map { known.contains(ClassName.plain($0)) }
  }

  /// The names of the classes that training has boxes of.
  ///
  /// - Throws: `DatasetError` when the split's files cannot be read.
  package func baseClasses() throws -> [String] {
    guard data.classSplit == Data.openVocabularyLVIS else {
      return try TrainingData.split(classSplit: data.classSplit, of: [], in: "").base
    }
    // Any file of the data set has the frequencies of all classes, and so has one of classes alone.
    let path =
      data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
    return try OpenVocabularySplit(
      frequenciesOf: COCOAnnotations.Category.list(ofFile: path), source: path
    ).base
  }
}
