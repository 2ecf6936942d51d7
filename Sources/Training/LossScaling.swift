/// How losses are scaled so that gradients stay within float16, dynamically.
///
/// Source: Micikevicius et al. 2018, Mixed Precision Training; numbers of torch.amp.GradScaler.
enum LossScaling {
  /// The scale's name in checkpoints and in the log.
  static let name = "loss_scale"
  /// What the scale starts at; it halves when gradients overflow.
  static let start: Float = 65536
  /// Finite steps in a row until it doubles.
  static let patience = 2000
  /// Halved below this, it is not the scale that makes gradients infinite.
  static let least = 1e-3

  /// Forgives the norm of a step that was left out.
  ///
  /// - Parameter scalars: The step's scalars; an infinite norm becomes 0 while lower scales are
  ///   still to be tried.
  /// - Returns: Measures for the log: the scale, and 1 if the step was left out.
  static func settle(_ scalars: inout StepScalars) -> [String: Double] {
    guard let scale = scalars.lossScale else { return [:] }
    let isLeftOut = !scalars.gradientNorm.isFinite && scale >= least
    if isLeftOut { scalars.gradientNorm = 0 }
    return [name: scale, "skipped_steps": isLeftOut ? 1 : 0]
  }
}
