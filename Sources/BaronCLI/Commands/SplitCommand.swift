import Annotations
import ArgumentParser
import Formats
import Foundation

/// `baron split`: the annotation files of base and novel classes.
struct SplitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "split",
    abstract: "Divide an annotation file into those of base and of novel classes.",
    subcommands: [COCO.self, LVIS.self])

  /// What both layouts need.
  struct Files: ParsableArguments {
    @Argument(help: "The annotation file.", completion: .file())
    var annotations: String

    @Option(
      name: .shortAndLong, help: ArgumentHelp("The folder to write to.", valueName: "folder"),
      completion: .file())
    var output: String

    @Flag(help: "Leave out images without an annotation; in COCO also categories of other parts.")
    var compact = false

    /// Writes one file for each group, named after the annotation file.
    func write(_ index: AnnotationIndex, _ groups: [(name: String, labels: Set<Int>)]) throws {
      for line in index.warnings { Console.warn("\(annotations): \(line)") }
      do {
        try FileManager.default.createDirectory(
          atPath: output, withIntermediateDirectories: true)
      } catch {
        throw FormatError(output, "cannot be made a folder: \(error.localizedDescription)")
      }
      let stem = URL(filePath: annotations).deletingPathExtension().lastPathComponent
      let parts = groups.map {
        AnnotationSplitter.Part(path: "\(output)/\(stem)_\($0.name).json", labels: $0.labels)
      }
      let splitter = AnnotationSplitter(index, isCompact: compact)
      for part in parts {
        for summary in try splitter.write([part]) {
          try Console.print(
            "\(part.path): \(summary.annotations, "annotation"), \(summary.images, "image") "
              + "(\(summary.imagesWithAnnotations) annotated), \(summary.categories, "category")")
        }
      }
    }
  }

  /// `baron split coco`.
  struct COCO: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Divide by class names: NAME_base, NAME_novel and NAME_base_novel.",
      discussion: """
        As in the published files every image and category stays and annotations are chosen by \
        category id; train on NAME_base of the training file, score on NAME_base_novel of the \
        validation file. Records are copied byte for byte.

        Example: baron split coco instances_train2017.json --split ov_coco -o annotations
        """)

    @OptionGroup var files: Files

    @Option(
      help: ArgumentHelp(
        "ov_coco (48 base and 17 novel classes), or a file {\"base\": [...], \"novel\": [...]}.",
        valueName: "split"))
    var split = "ov_coco"

    func run() throws {
      let named: OpenVocabularySplit =
        split == "ov_coco" ? .openVocabularyCOCO : try OpenVocabularySplit(path: split)
      let index = try AnnotationIndex(path: files.annotations)
      let (base, novel) = try DatasetError.naming("--split") {
        (
          Set(try named.baseLabels(in: index.categories, of: files.annotations)),
          Set(try named.novelLabels(in: index.categories, of: files.annotations))
        )
      }
      try files.write(
        index, [("base", base), ("novel", novel), ("base_novel", base.union(novel))])
    }
  }

  /// `baron split lvis`.
  struct LVIS: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Divide by frequency: NAME_base (common and frequent) and NAME_novel (rare).",
      discussion: """
        As in the published files every image and category stays; train on NAME_base, score on the \
        undivided validation file. Records are copied byte for byte.

        Example: baron split lvis lvis_v1_train.json -o annotations
        """)

    @OptionGroup var files: Files

    func run() throws {
      let index = try AnnotationIndex(path: files.annotations)
      guard let named = OpenVocabularyFrequency(index.categories) else {
        throw FormatError(
          files.annotations,
          "\"categories\" have no \"frequency\" of r, c or f; use 'baron split coco' for this file")
      }
      try files.write(index, [("base", named.base), ("novel", named.novel)])
    }
  }
}

/// The classes of LVIS by frequency: rare ones are novel.
private struct OpenVocabularyFrequency {
  let base: Set<Int>
  let novel: Set<Int>

  /// Nil unless every class has a frequency.
  init?(_ categories: [COCOAnnotations.Category]) {
    guard categories.allSatisfy({ $0.frequency != nil }) else { return nil }
    novel = Set(categories.indices.filter { categories[$0].frequency == .rare })
    base = Set(categories.indices).subtracting(novel)
  }
}
