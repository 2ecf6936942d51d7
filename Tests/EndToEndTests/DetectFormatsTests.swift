import Formats
import Foundation
import Pictures
import TestSupport
import Testing

/// What `detect` reads and writes, with a detector that was trained for a moment.
@Suite(
  .serialized, .enabled(if: BaronProcess.available, "\(BaronProcess.missing)"))
struct DetectFormatsTests {
  private static let words = [
    "--vocabulary", "person, bus", "--score-threshold", "0", "--limit", "5",
  ]

  private func trained(_ scratch: Scratch) throws -> String {
    let run = "\(scratch.folder)/run"
    let result = try BaronProcess(
      ["train", "coco-mini", "--run", run]
        + ["training.iterations=2", "training.evaluate_every=0", "optimizer.milestones=[]"].flatMap
      {
        ["--set", $0]
      }
    ).finish()
    try #require(result.status == 0, "\(result.errors)")
    return run
  }

  private func photograph(_ index: Int) throws -> Image {
    let folder = "\(SharedData.root)/coco-mini/images/val2017"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    return try ImageDecoder.decode(path: "\(folder)/\(names[index])")
  }

  private func lines(_ text: String) throws -> [JSONValue] {
    try text.split(separator: "\n").map { try JSONValue(parsing: String($0), source: "line") }
  }

  @Test func foldersFormatsAndFrames() throws {
    let scratch = try Scratch()
    let run = try trained(scratch)
    try folders(scratch, run)
    try frames(scratch, run)
  }

  /// Folders within folders; every format of labels; no pictures.
  private func folders(_ scratch: Scratch, _ run: String) throws {
    let folder = "\(scratch.folder)/photos"
    for (index, place) in ["", "inner", "inner/.hidden", "earlier"].enumerated() {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(place)", withIntermediateDirectories: true)
      try photograph(index).writePNG("\(folder)/\(place)/a.png")
    }
    for name in ["detections.json", "images.json"] {
      try Data().write(to: URL(filePath: "\(folder)/earlier/\(name)"))
    }
    let output = "\(scratch.folder)/labels"
    let formats = ["coco", "yolo", "voc", "labelstudio", "polygons", "json"]
    let result = try BaronProcess(
      ["detect", folder, "--checkpoint", run, "--output", output, "--no-pictures", "--json"]
        + Self.words + formats.flatMap { ["--format", $0] }
    ).finish()
    #expect(result.status == 0, "\(result.errors)")
    let printed = try lines(result.output)
    #expect(
      printed.map { $0["image"]?.string } == ["\(folder)/a.png", "\(folder)/inner/a.png"])
    #expect(printed.allSatisfy { $0["picture"] == .null })
    let files = try FileManager.default.subpathsOfDirectory(atPath: output).sorted()
    #expect(
      files == [
        "Annotations", "Annotations/a-2.xml", "Annotations/a.xml", "classes.txt", "coco.json",
        "data.yaml", "detections.json", "images.json", "labels", "labels/a-2.txt", "labels/a.txt",
        "labelstudio.json", "objects.jsonl", "polygons.jsonl",
      ])
    // In one stream with what is said beside, a line of JSON stays whole.
    let mixed = try BaronProcess(
      [
        "-c",
        "'\(try #require(BaronProcess.path))' detect '\(folder)' --checkpoint '\(run)' --no-pictures "
          + "--json --output '\(scratch.folder)/mixed' --vocabulary cat 2>&1",
      ], program: "/bin/sh"
    ).finish()
    let shown = mixed.output.split(separator: "\n").filter { $0.contains("{") || $0.contains("}") }
    #expect(shown.count == 2, "\(mixed.output)")
    #expect(throws: Never.self) {
      for line in shown { _ = try JSONValue(parsing: String(line), source: "detect --json") }
    }
    let objects = try lines(
      try String(contentsOfFile: "\(output)/objects.jsonl", encoding: .utf8))
    #expect(objects.map { $0["objects"] } == printed.map { $0["objects"] })
  }

  /// Frames of both containers, whole and cut, as pictures and as lines.
  private func frames(_ scratch: Scratch, _ run: String) throws {
    let photos = try (0..<3).map { try photograph($0) }
    var stream: [UInt8] = []
    for (index, photo) in photos.enumerated() {
      let path = "\(scratch.folder)/\(index).jpg"
      try photo.writeJPEG(path)
      stream += try Data(contentsOf: URL(filePath: path))
    }
    func detect(_ bytes: [UInt8], _ options: [String] = []) throws -> (
      result: BaronProcess.Result, output: [UInt8]
    ) {
      let (input, output) = (
        try scratch.write(bytes, "frames"), "\(scratch.folder)/out"
      )
      let command = (["detect", "-", "--checkpoint", run] + Self.words + options)
        .map { "'\($0)'" }.joined(separator: " ")
      let result = try BaronProcess(
        ["-c", "'\(try #require(BaronProcess.path))' \(command) <'\(input)' >'\(output)'"],
        program: "/bin/sh"
      ).finish()
      return (result, Array(try Data(contentsOf: URL(filePath: output))))
    }
    let whole = try detect(stream, ["--json"])
    #expect(whole.result.status == 0, "\(whole.result.errors)")
    let found = try lines(String(decoding: whole.output, as: UTF8.self))
    #expect(found.map { $0["frame"]?.integer } == [1, 2, 3])
    #expect(found.map { $0["width"]?.integer } == photos.map(\.width))
    #expect(found.allSatisfy { $0["objects"]?.array?.count == 5 })
    // A cut frame is an error, after those before it were handed on.
    let cut = try detect(stream.dropLast(100), ["--json"])
    #expect(
      cut.result.status == 1
        && cut.output == Array(
          whole.output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .prefix(2).joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
    )
    #expect(cut.result.lines("error:").count == 1, "\(cut.result.errors)")
    // Pictures come back in the container that they came in.
    let drawn = try detect(stream)
    #expect(drawn.result.status == 0 && drawn.output.starts(with: [0xFF, 0xD8]))
    let first = try drawn.output.withUnsafeBytes { try ImageDecoder.decode($0, name: "frame") }
    #expect(first.width == photos[0].width && first.height == photos[0].height)
    let planes = [UInt8](repeating: 90, count: 64 * 48 * 3 / 2)
    let header = Array("YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n".utf8)
    let frame = Array("FRAME\n".utf8) + planes
    let video = try detect(header + frame + frame)
    #expect(video.result.status == 0, "\(video.result.errors)")
    #expect(video.output.count == header.count + 2 * frame.count)
    #expect(video.output.starts(with: header + Array("FRAME\n".utf8)))
    let wrong = try detect(Array("GIF89a".utf8))
    #expect(wrong.result.status == 1 && wrong.output.isEmpty)
    #expect(wrong.result.lines("error:").count == 1)
  }
}
