import Formats
import Foundation
import Reporting
import Training

/// What a model in one file holds, whose parts were compared with their digests.
struct BundleListing {
  private static let mostNames = 12

  private let bundle: ModelBundle

  init(_ bundle: ModelBundle) { self.bundle = bundle }

  /// For programs: the manifest with the file's name.
  var json: JSONValue {
    var fields = bundle.manifest.object ?? [:]
    fields["file"] = .string(bundle.path)
    if let thresholds = bundle.thresholds { fields["thresholds"] = thresholds.json }
    return .object(fields)
  }

  /// For people: what it is, then the parts.
  var text: String {
    let manifest = bundle.manifest
    var lines = [
      "model: \(manifest["name"]?.string ?? "unnamed")"
        + (bundle.iteration.map { ", \($0, "iteration")" } ?? ""),
      "written by: baron \(manifest["program"]?.string ?? "of an unknown version")",
    ]
    lines += [("base", true), ("novel", false), ("of no group", nil)].compactMap { title, isBase in
      let names = bundle.classes.filter { $0.isBase == isBase }.map(\.name)
      guard !names.isEmpty else { return nil }
      let more = names.count - Self.mostNames
      return "\(title): \(names.prefix(Self.mostNames).joined(separator: ", "))"
        + (more > 0 ? " and \(more) more" : "")
    }
    let scores = ["AP50", "base.AP50", "novel.AP50"].compactMap { measure in
      manifest["scores"]?[measure]?.number.map { "\(measure) \(String(format: "%.1f", 100 * $0))" }
    }
    if !scores.isEmpty { lines.append("scores: " + scores.joined(separator: ", ")) }
    var table = TerminalTable([.text("part"), .number("bytes"), .text("sha256")])
    for part in bundle.parts { table.add([part.name, "\(part.size)", part.digest]) }
    return lines.joined(separator: "\n") + "\n\n"
      + table.text(style: .detect(descriptor: 1)) + "\nevery part agrees with its digest"
  }
}
