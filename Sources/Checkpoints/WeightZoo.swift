/// Whose names the tensors of a file have; the raw value is what commands call it.
package enum WeightZoo: String, Sendable, CaseIterable {
  /// This program and the reference program.
  case ours
  /// torchvision: a ResNet that stands alone, or a detector.
  case torchvision
  /// MMDetection's own detectors: our names, but predictors with one row per class.
  case mmdetection
  /// detectron2.
  case detectron2
  /// The CLIP models of OpenAI.
  case openAI = "openai"
  /// The CLIP models of Hugging Face.
  case huggingFace = "huggingface"

  /// Whether its files hold CLIP models, not detectors.
  package var isCLIP: Bool { self == .openAI || self == .huggingFace }

  /// Tells the zoo from the names of a file.
  ///
  /// - Parameter source: The file.
  /// - Returns: The zoo, or nil when the names are of no known one.
  package static func of(_ source: any WeightSource) -> WeightZoo? {
    if let map = DetectorNameMap(source) { return map.zoo }
    switch CLIPNameMap(source) {
    case .openAI: return .openAI
    case .huggingFace: return .huggingFace
    case .detector: return .ours
    case nil: return nil
    }
  }

  /// What training programs have put before the names that the zoo gives.
  ///
  /// - Parameter source: The file.
  /// - Returns: The beginning that readers take off, with its dot at the end; empty when there is none.
  package static func wrapper(of source: any WeightSource) -> String {
    DetectorNameMap(source)?.prefix ?? CLIPNameMap(source)?.prefix ?? ""
  }
}
