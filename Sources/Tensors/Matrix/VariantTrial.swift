import Formats
import Foundation
import KernelLibrary
import OpenCL

/// A trial of a product's variant by another process, as a message.
struct VariantTrial: Codable {
  let variant: ProductVariant
  let precision: MatrixPrecision
  let isEmulated: Bool

  init(_ variant: ProductVariant, with cores: TensorCores) {
    self.variant = variant
    (precision, isEmulated) = (cores.precision, cores.isEmulated)
  }

  var cores: TensorCores {
    TensorCores(
      precision: precision, operands: variant.operands, tiles: [variant.tile],
      isEmulated: isEmulated)
  }

  /// Words of the other process for a variant that computes rightly.
  static let success = "ok"

  /// What is wrong with the variant on a context's device, in one line; nil when nothing is.
  ///
  /// It is tried in the context's other process, without one here. That it worked, crashed or hung
  /// is kept in the cache, so that a driver that hangs costs its time once.
  ///
  /// - Parameter stream: Where to try it without another process.
  func fault(on stream: ComputeStream) -> String? {
    let context = stream.queue.context
    guard let trials = context.trials, let request = try? JSONEncoder().encode(self) else {
      return cores.fault(of: variant, on: stream)
    }
    let name = "trial \(variant) \(precision) \(isEmulated)"
    let source = (try? KernelSource.assembled("\(cores.kernel.file).cl")) ?? ""
    if let known = context.verdict(on: name, source: source) { return Self.fault(known) }
    switch trials.ask(String(decoding: request, as: UTF8.self)) {
    case .unavailable: return cores.fault(of: variant, on: stream)
    case .none(let reason): return keep(reason)
    case .reply(Self.success): return keep(Self.success)
    // Found out again in a moment, and perhaps no more then: memory may have been short.
    case .reply(let fault): return fault
    }

    func keep(_ words: String) -> String? {
      context.keep(words, on: name, source: source)
      return Self.fault(words)
    }
  }

  private static func fault(_ words: String) -> String? { words == success ? nil : words }
}

/// The other process of trials.
package enum VariantTrials {
  /// Answers trials until nobody asks.
  ///
  /// - Parameter context: The device, with the cache for the programs that are compiled.
  package static func serve(on context: Context) {
    var streams: [ElementType: ComputeStream] = [:]
    TrialHelper.serve { request in
      do {
        let trial = try JSONDecoder().decode(VariantTrial.self, from: Data(request.utf8))
        let type = trial.variant.operands
        let stream =
          try streams[type] ?? ComputeStream(context: context, activationType: type)
        streams[type] = stream
        return trial.cores.fault(of: trial.variant, on: stream) ?? VariantTrial.success
      } catch {
        return TrialFault.line(error)
      }
    }
  }
}
