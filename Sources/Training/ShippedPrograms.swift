import Formats
import KernelLibrary
import OpenCL
import Tensors

/// Which programs a step of the presets needs on GPUs with tensor cores.
///
/// The lists were made without such a GPU, by `make program-lists`; a step on other sizes of pictures or
/// with other compute units may need a few more.
package enum ShippedPrograms {
  /// A list and the preset whose step it is of.
  package struct List {
    /// The preset.
    package let preset: String
    /// Its programs.
    package let entries: [ProgramList.Entry]
    /// What decides which kernels a step of the preset needs.
    let choices: String

    init(_ preset: String, _ text: [UInt8]) {
      self.preset = preset
      entries = String(decoding: text, as: UTF8.self).split(separator: "\n")
        .compactMap { ProgramList.Entry($0) }
      choices =
        (try? RunConfiguration.load(preset, overrides: []).kernelChoices)
        ?? (try? CLIPTrainingConfiguration.load(preset, overrides: []).kernelChoices) ?? ""
    }
  }

  /// All lists.
  package static let all = [
    List("demo-bags", PackageResources.demo_bags_txt),
    List("demo-teacher", PackageResources.demo_teacher_txt),
    List("ov-coco-c4-caption", PackageResources.ov_coco_c4_caption_txt),
    List("ov-coco-c4-kd", PackageResources.ov_coco_c4_kd_txt),
    List("ov-coco-fpn-kd", PackageResources.ov_coco_fpn_kd_txt),
    List("ov-lvis-kd", PackageResources.ov_lvis_kd_txt),
  ]

  /// The largest part of its lines in which a configuration may differ from a preset to take its list:
  /// what it does not need would be compiled all the same.
  private static let tolerance = 0.2

  /// What a step is likely to need.
  ///
  /// - Parameters:
  ///   - choices: What decides which kernels it needs, as lines of YAML.
  ///   - precision: How it stores activations; the lists are of bfloat16.
  ///   - context: The device.
  /// - Returns: The programs of the most similar preset; none on other devices and for configurations
  ///   that no preset is like.
  package static func likely(
    for choices: String, precision: Precision, on context: Context
  ) -> [ProgramList.Entry] {
    guard
      context.family == .nvidia, (try? precision.activationType(on: context)) == .bfloat16,
      (try? Precision.automatic.activationType(on: context)) == .bfloat16
    else { return [] }
    return nearest(to: choices)?.entries ?? []
  }

  /// The list of the preset that differs in the fewest lines.
  ///
  /// - Parameter choices: Lines of YAML.
  /// - Returns: nil when more than a fifth of the lines differ from each.
  package static func nearest(to choices: String) -> List? {
    let wanted = choices.split(separator: "\n")
    func distance(_ list: List) -> Int {
      wanted.difference(from: list.choices.split(separator: "\n")).count
    }
    guard
      let (list, lines) = all.map({ ($0, distance($0)) }).min(by: { $0.1 < $1.1 }),
      Double(lines) <= 2 * tolerance * Double(wanted.count)
    else { return nil }
    return list
  }
}
