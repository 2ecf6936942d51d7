import Checkpoints
import Foundation
import TestSupport
import Testing

/// What is no file, names that would steer a terminal, and errors of any length.
@Suite(
  "Hostile input", .serialized, .timeLimit(.minutes(5)),
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct HostileInputTests {
  /// Commands that read the file in the place of %.
  private static let readers = [
    "inspect %", "convert % OUT/a.safetensors", "config show %", "train % --run OUT/run",
    "evaluate --annotations % --detections % --split coco", "split coco % -o OUT/split",
    "embed --clip CLIP --names % -o OUT/a.npy",
    "embed --clip CLIP --templates % --names cat -o OUT/a.npy",
    "evaluate --annotations CASES/good.json --detections % --split coco",
    "train CASES/mini.yaml --run OUT/run --set data.train_annotations=%",
  ]

  @Test("pipes, devices and folders are refused at once", arguments: readers)
  func nothingIsWaitedFor(command: String) throws {
    let scratch = try Scratch()
    let pipe = scratch.folder + "/pipe"
    #expect(mkfifo(pipe, 0o644) == 0)
    for (path, kind) in [(pipe, "is a pipe"), ("/dev/zero", "is a device")] {
      let places = [
        ("%", path), ("OUT", scratch.folder), ("CASES", Fixture.sharedFolder + "/cases"),
        ("CLIP", Fixture.folder + "/clip_tiny/hf"),
      ]
      let arguments = places.reduce(command) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
        .split(separator: " ").map(String.init)
      let result = try BaronProcess(arguments).finish()
      // Training tells all that is wrong in one list, of which this is a line.
      #expect(result.status == 1 && result.lines("error:").count == 1, "\(result.errors)")
      #expect(result.errors.split(separator: "\n").contains { $0.contains("\(path): \(kind)") })
    }
  }

  @Test("names cannot steer the terminal")
  func names() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/a.safetensors"
    let name = "\u{1B}]0;owned\u{7}\u{202E}gnp\n\u{9B}2J"
    try SafeTensors.write(
      tensors: [(name, HostTensor(shape: [1], floats: [1]))], to: path)
    for arguments in [["inspect", path], ["inspect", path, "--json"]] {
      let output = try BaronProcess(arguments).finish().output
      #expect(output.contains("owned"))
      let hidden = output.unicodeScalars.filter {
        $0 != "\n" && [.control, .format].contains($0.properties.generalCategory)
      }
      #expect(hidden.isEmpty)
    }
  }

  @Test("an error is one line of at most 500 characters")
  func length() throws {
    for name in [String(repeating: "x/", count: 3000), "two\nlines\u{1B}[2J"] {
      let result = try BaronProcess.run("inspect", name)
      #expect(result.status == 1)
      let lines = result.errors.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 2 && lines[1].isEmpty)
      #expect(lines[0].hasPrefix("error: ") && lines[0].unicodeScalars.count <= 500)
      #expect(!result.errors.contains("\u{1B}"))
    }
  }
}
