import Annotations
import CLIP

extension RunConfiguration {
  /// For each name whether the combined scores of two heads lean on the main one: it is a base class
  /// of the configuration's split (spec detector 2.8).
  ///
  /// Without two heads, or with one proportion for all classes, nothing is read.
  ///
  /// - Parameter names: Class names.
  /// - Returns: One flag a name.
  /// - Throws: `DatasetError` when the split's files cannot be read.
  func leansOnMainHead(_ names: [String]) throws -> [Bool] {
    guard model.head.ensemble == .split else {
      return [Bool](repeating: true, count: names.count)
    }
    let split: OpenVocabularySplit
    if data.classSplit == Data.openVocabularyLVIS {
      // Any file of the data set has the frequencies of all classes, and so has one of classes alone.
      let path =
        data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
      do {
        split = try OpenVocabularySplit(
          frequenciesOf: COCOAnnotations.Category.list(ofFile: path), source: path)
      } catch let error as DatasetError {
        throw DatasetError.record(
          file: "model.head.ensemble", place: "", field: "",
          reason:
            "is split, which needs the base classes of LVIS, but they cannot be read (\(error)); "
            + "give data.validation_annotations, a file with its categories alone will do, or set "
            + "model.head.ensemble to uniform")
      }
    } else {
      split = try TrainingData.split(classSplit: data.classSplit, of: [], in: "")
    }
    // What the prompts make of a name counts.
    let base = Set(split.base.map(ClassName.plain))
    return names.map { base.contains(ClassName.plain($0)) }
  }
}
