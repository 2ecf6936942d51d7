import Detection
import Distribution
import Layers
import Tensors
import Training

/// What the processes that train by a configuration exchange in a step.
struct GradientAmount {
  /// Gradients in the order in which they complete.
  let buckets: [EfficiencyModel.Bucket]
  /// How often statistics are exchanged.
  let exchanges: Int
  /// Channels of the widest exchange of statistics.
  let channels: Int

  /// All numbers that are trained.
  var floats: Double { buckets.reduce(0) { $0 + $1.bytes / 4 } }

  /// When the gradients of a part are complete, as a share of the step (spec distributed 5).
  private static let parts: [(names: [String], ready: Double)] = [
    (["roi_head"], 0.60), (["neck", "rpn_head"], 0.80), (["backbone.layer4"], 0.86),
    (["backbone.layer3"], 0.91),
  ]
  private static let lastReady = 0.98

  /// Counts without files: the detector's numbers depend on the configuration alone, but for the
  /// widths of the words, which are those of ViT-B/32.
  ///
  /// - Parameters:
  ///   - configuration: The configuration.
  ///   - stream: Where the parameters are reserved.
  /// - Throws: `ConfigurationError` or `OpenCLError`.
  init(_ configuration: RunConfiguration, on stream: ComputeStream) throws {
    // No value is needed, so none is drawn.
    let store = ParameterStore(stream: stream, seed: 0) { _ in true }
    _ = try FasterRCNN(
      store.root, configuration.model,
      text: TextWidths(word: 512, embedding: 512))
    var bytes = [Double](repeating: 0, count: Self.parts.count + 1)
    for parameter in store.trained {
      let part = Self.parts.firstIndex { part in
        part.names.contains { parameter.name.hasPrefix($0) }
      }
      bytes[part ?? Self.parts.count] += 4 * Double(parameter.value.count)
    }
    let ready = Self.parts.map(\.ready) + [Self.lastReady]
    buckets = zip(bytes, ready).filter { $0.0 > 0 }.map { .init(bytes: $0.0, ready: $0.1) }
    let trained = Set(store.trained.map(\.name))
    let norms = store.parameters.filter { parameter in
      parameter.name.hasSuffix(".running_mean")
        && trained.contains(parameter.name.replacing(".running_mean", with: ".weight"))
    }
    channels = norms.map(\.value.count).max() ?? 0
    // Detection and alignment images pass one after the other.
    let passes = configuration.methods.isEmpty ? 1 : 2
    exchanges = norms.count * passes * 2
  }
}
