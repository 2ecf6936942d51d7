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
  ///   - base: The base classes as prompts have them, where they are known; nil reads the split.
  /// - Returns: One flag a name.
  /// - Throws: `DatasetError` when the split's files cannot be read.
  func leansOnMainHead(_ names: [String], base: Set<String>? = nil) throws -> [Bool] {
    guard model.head.ensemble == .split else {
      return [Bool](repeating: true, count: names.count)
    }
    let base = try base ?? baseClasses()
    return names.map { base.contains(ClassName.plain($0)) }
  }

  /// The base classes of the split; what the prompts make of a name counts.
  private func baseClasses() throws -> Set<String> {
    let split: OpenVocabularySplit
    if data.classSplit == Data.openVocabularyLVIS {
      // Any file of the data set has the frequencies of all classes.
      let path =
        data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
      do {
        let index = try AnnotationIndex(path: path)
        split = try OpenVocabularySplit(frequenciesOf: index.categories, source: index.path)
      } catch let error as DatasetError {
        throw DatasetError.record(
          file: "model.head.ensemble", place: "", field: "",
          reason:
            "is split, which needs the base classes of LVIS, but they cannot be read (\(error)); "
            + "give data.validation_annotations, or set model.head.ensemble to uniform")
      }
    } else {
      split = try TrainingData.split(classSplit: data.classSplit, of: [], in: "")
    }
    return Set(split.base.map(ClassName.plain))
  }
}
