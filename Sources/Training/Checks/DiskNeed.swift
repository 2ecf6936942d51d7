import CLIP
import Checkpoints
import Detection
import Foundation

extension RunConfiguration {
  /// Bytes of the queues of all replicas once they are full.
  ///
  /// - Parameter clip: Sizes of the CLIP model.
  package func queueBytes(clip: CLIPConfiguration) -> Int {
    // A row and the id of its image.
    let row = 4 * clip.embeddingWidth + 4
    return max(1, training.replicas) * methods.reduce(0) { $0 + $1.queueRows } * row
  }
}

/// The room on disk that a run takes.
struct DiskNeed {
  /// Bytes of all checkpoints that a run has at a time.
  let bytes: Int

  /// Estimates from the widths alone, without building the model.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - clip: Sizes of the CLIP model.
  init(_ configuration: RunConfiguration, clip: CLIPConfiguration) {
    let weights = configuration.model.approximateWeightCount(
      text: configuration.textWidths(clip: clip))
    // Momentum, or the two means of AdamW.
    let moments = configuration.optimizer.kind == .adamw ? 2 : 1
    let training = configuration.training
    // The newest is written before the oldest is removed.
    let count = training.keepCheckpoints + 1 + (training.keepBest.isEmpty ? 0 : 1)
    bytes = (4 * weights * (1 + moments) + configuration.queueBytes(clip: clip)) * count
  }

  /// Bytes that are free where a path lies or will lie; nil when the system does not say.
  static func free(at path: String) -> Int? {
    var folder = URL(filePath: path).standardizedFileURL
    while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" {
      folder.deleteLastPathComponent()
    }
    let values = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
    return (values?[.systemFreeSize] as? NSNumber)?.intValue
  }
}
