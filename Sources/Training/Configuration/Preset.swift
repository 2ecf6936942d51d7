/// A configuration that ships inside the program.
package struct Preset: Sendable {
  /// What a configuration is for.
  package enum Kind: String, Sendable, CaseIterable {
    /// `baron train`: ``RunConfiguration``.
    case train
    /// `baron clip-train`: ``CLIPTrainingConfiguration``.
    case clip
    /// `baron demo`: ``DemoConfiguration``.
    case demo
  }

  /// The name.
  package let name: String
  /// What it is for.
  package let kind: Kind
  /// The YAML text with its comments.
  package let text: String

  private init(_ name: String, _ kind: Kind, _ bytes: [UInt8]) {
    self.name = name
    self.kind = kind
    text = String(decoding: bytes, as: UTF8.self)
  }

  /// All presets, sorted by their files' names.
  package static let all = [
    Preset("coco-mini-captions", .train, PackageResources.coco_mini_captions_yaml),
    Preset("coco-mini", .train, PackageResources.coco_mini_yaml),
    Preset("demo-bags", .train, PackageResources.demo_bags_yaml),
    Preset("demo-enlarged-crops", .train, PackageResources.demo_enlarged_crops_yaml),
    Preset("demo-individual", .train, PackageResources.demo_individual_yaml),
    Preset("demo-none", .train, PackageResources.demo_none_yaml),
    Preset("demo-quick", .demo, PackageResources.demo_quick_yaml),
    Preset("demo-region-crops", .train, PackageResources.demo_region_crops_yaml),
    Preset("demo-scenery", .demo, PackageResources.demo_scenery_yaml),
    Preset("demo-student", .train, PackageResources.demo_student_yaml),
    Preset("demo-teacher", .clip, PackageResources.demo_teacher_yaml),
    Preset("demo", .demo, PackageResources.demo_yaml),
    Preset("ov-coco-c4-baseline", .train, PackageResources.ov_coco_c4_baseline_yaml),
    Preset("ov-coco-c4-caption", .train, PackageResources.ov_coco_c4_caption_yaml),
    Preset("ov-coco-c4-kd", .train, PackageResources.ov_coco_c4_kd_yaml),
    Preset("ov-coco-fpn-baseline", .train, PackageResources.ov_coco_fpn_baseline_yaml),
    Preset("ov-coco-fpn-kd", .train, PackageResources.ov_coco_fpn_kd_yaml),
    Preset("ov-lvis-baseline", .train, PackageResources.ov_lvis_baseline_yaml),
    Preset("ov-lvis-kd-ensemble", .train, PackageResources.ov_lvis_kd_ensemble_yaml),
    Preset("ov-lvis-kd", .train, PackageResources.ov_lvis_kd_yaml),
  ]

  /// The names of the presets of one kind.
  ///
  /// - Parameter kind: The kind.
  /// - Returns: The names, sorted.
  package static func names(of kind: Kind) -> [String] {
    all.filter { $0.kind == kind }.map(\.name)
  }

  /// A preset by its name.
  ///
  /// - Parameter name: One of the names of ``all``.
  /// - Throws: ``ConfigurationError`` when there is none.
  package static func named(_ name: String) throws -> Preset {
    guard let preset = all.first(where: { $0.name == name }) else {
      throw ConfigurationError.unknownName(place: nil, name: name, presets: all.map(\.name))
    }
    return preset
  }
}
