/// What training programs wrap around a model's tensors, one list for every reader.
///
/// A file may hold its state dict under a key beside epochs and optimizers, and the names in a state
/// dict may start with what held the model: a data-parallel module, a compiled module, one of two twins.
enum WeightWrappers {
  /// Keys of the dictionary to take, the likeliest first: a plain model before its moving average, and
  /// of self-supervised twins the teacher, which is the one that is kept.
  static let keys = [
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights",
    "params", "teacher", "student", "state_dict_ema", "model_ema", "ema_state_dict", "ema_model",
    "ema", "params_ema", "backbone", "encoder",
  ]

  /// Parts of names that stand before the model's own.
  ///
  /// Of twins the first counts: the encoder that is trained, not the one that follows it.
  private static let parts = [
    "module", "model", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "state_dict",
    "network",
    "net", "detector", "encoder_q", "base_encoder", "online_encoder", "online_network",
    "online_net",
    "encoder", "teacher", "student", "ema_model", "model_ema", "ema", "encoder_k",
    "momentum_encoder", "target_encoder", "target_network",
  ]
  private static let ranks = Dictionary(
    parts.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })

  /// The prefixes of wrappers before a name that a model must have, the likeliest first.
  ///
  /// - Parameters:
  ///   - anchor: A name that the model's own names are told by.
  ///   - names: All names of a file.
  /// - Returns: The prefixes, each with its dot at the end; the empty one when the name stands bare.
  static func prefixes(before anchor: String, in names: [String]) -> [String] {
    let found = names.compactMap { name -> (prefix: String, rank: [Int])? in
      guard name.hasSuffix(anchor) else { return nil }
      let prefix = name.dropLast(anchor.count)
      guard !prefix.isEmpty else { return ("", []) }
      guard prefix.last == "." else { return nil }
      let ranks = prefix.dropLast().split(separator: ".", omittingEmptySubsequences: false).map {
        Self.ranks[String($0)]
      }
      guard !ranks.contains(nil) else { return nil }
      return (String(prefix), ranks.compactMap { $0 })
    }
    return found.sorted { first, second in
      first.rank.count == second.rank.count
        ? first.rank.lexicographicallyPrecedes(second.rank)
        : first.rank.count < second.rank.count
    }.map(\.prefix)
  }
}
