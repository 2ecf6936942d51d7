import Formats
import Labels
import Training

extension ObjectDetector.Found {
  /// Name, score, box and mask as `--json` prints them.
  ///
  /// - Parameter name: The name of its class.
  func fields(named name: String) -> [String: JSONValue] {
    LabeledPicture.Object(label: label, box: box, score: score, mask: mask).fields(named: name)
  }
}
