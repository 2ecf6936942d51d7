import Annotations

/// What somebody meant who typed what other programs take.
enum UsageHint {
  /// Options of YOLO's and OpenMMLab's programs, and what does the same here.
  private static let options = [
    "--data":
      "'baron init --annotations data.yaml' writes a configuration; --set data.train_annotations=FILE "
      + "changes one",
    "--epochs": "--set training.iterations=N; 'baron init --epochs N' tells how many that are",
    "--imgsz": "--set data.short_sides=[PIXELS] and --set data.test_short_side=PIXELS",
    "--batch-size": "--set training.detection_batch=N",
    "--lr": "--set optimizer.rate=NUMBER",
    "--weights": "--checkpoint RUN to use a model, --set model.start=FILE to begin from one",
    "--model": "--checkpoint RUN to use a model, --set model.start=FILE to begin from one",
    "--load-from": "--set model.start=FILE",
    "--conf": "--score-threshold NUMBER",
    "--conf-thres": "--score-threshold NUMBER",
    "--iou-thres": "--set model.head.nms_threshold=NUMBER",
    "--names": "--vocabulary \"NAME, NAME\"",
    "--classes": "--vocabulary \"NAME, NAME\"",
    "--source": "name pictures and folders without an option",
    "--project": "--run FOLDER",
    "--name": "--run NAME",
    "--work-dir": "--run FOLDER",
    "--cfg-options": "--set section.key=value",
    "--gpus": "--device gpu",
    "--workers": "--set data.threads=N",
    "--amp": "--set training.precision=automatic",
  ]

  /// Those of them that one of our commands has as well.
  private static let ours: Set = ["--names", "--epochs"]

  /// Commands of other programs.
  private static let commands = [
    "predict": "detect", "val": "evaluate", "test": "evaluate", "eval": "evaluate", "fit": "train",
    "doctor": "check", "new": "init", "export": "convert",
  ]

  /// The remedy for a command line that was not understood.
  ///
  /// - Parameters:
  ///   - arguments: The words behind the program's name.
  ///   - known: The names of all commands.
  ///   - message: What the parser said.
  /// - Returns: One line, or nil when nothing is known.
  static func line(_ arguments: [String], known: [String], message: String) -> String? {
    for argument in arguments {
      let option = String(argument.prefix { $0 != "=" })
      // An option that some command has need not be the one that was not understood.
      guard let remedy = options[option],
        !ours.contains(option) || message.contains("'\(option)'")
      else { continue }
      return "instead of \(option): \(remedy)"
    }
    guard let first = arguments.first, !first.hasPrefix("-"), !known.contains(first) else {
      return nil
    }
    let near =
      commands[first] ?? NearestName.of(first, among: known) { 5 * $0 <= 2 * max($1, 4) }
    return near.map { "there is no command \"\(first)\"; did you mean \"\($0)\"?" }
  }
}
