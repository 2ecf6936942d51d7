import Annotations
import Formats
import Foundation
import Pictures
import TestSupport
import Testing

@testable import DemoWorld

@Suite struct DemoWorldRegionsTests {
  /// A world in a folder that goes with it.
  private final class World {
    private let temporary: TemporaryFolder
    let summary: DemoWorld.Summary

    var folder: String { temporary.path }

    init(
      _ kind: WorldKind = .shapes, images: Int, seed: UInt64, pixels: Int = 96, regions: Int = 16
    ) throws {
      temporary = try TemporaryFolder()
      summary = try DemoWorld.write(
        kind, to: temporary.path, images: images, seed: seed, pixels: pixels,
        regionsPerImage: regions)
    }

    /// The digest of all files with their names; of pictures the pixels count, as how a PNG file is
    /// packed depends on the library's version.
    func digest() throws -> String {
      var digest = SHA256()
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
      for name in names where name.contains(".") {
        digest.update(name)
        if name.hasSuffix(".png") {
          let image = try ImageDecoder.decode(path: "\(folder)/\(name)")
          image.bytes.withUnsafeBytes { digest.update($0) }
        } else {
          digest.update(try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8))
        }
      }
      return digest.hexadecimal()
    }

    func regions() throws -> CaptionedRegions {
      try CaptionedRegions(path: "\(folder)/annotations/region_captions.json")
    }
  }

  /// The classes that a caption names.
  private static func classes(in caption: String, _ kind: WorldKind = .shapes) -> Set<String> {
    Set(caption.split(separator: " ").map(String.init)).intersection(kind.classes.map(\.name))
  }

  @Test(arguments: [
    (WorldKind.shapes, "80bcbf1d2774a43e6ad80d8b6c49062f2b6c217816a8c21f8230485e5b96fd6f"),
    (.scenery, "10e870e8b79619694d45feb770aa725bf354b1cfcb28a02d397fbef9013aa0f9"),
  ])
  func worldsAreReproducible(kind: WorldKind, digest: String) throws {
    let digests = try [4, 4, 5].map { try World(kind, images: 5, seed: $0, pixels: 80).digest() }
    #expect(digests[0] == digests[1] && digests[0] != digests[2])
    // A world that is meant to change gets its new digest here.
    #expect(digests[0] == digest)
  }

  @Test(arguments: WorldKind.allCases)
  func captionsAgreeWithBoxes(kind: WorldKind) throws {
    let world = try World(kind, images: kind == .shapes ? 200 : 50, seed: 6, pixels: 128)
    let truth = try JSONValue(contentsOf: "\(world.folder)/annotations/instances.json")
    let file = try JSONValue(contentsOf: "\(world.folder)/annotations/region_captions.json")
    var names: [Int: String] = [:]
    for category in try #require(truth["categories"]?.array) {
      names[try #require(category["id"]?.integer)] = category["name"]?.string
    }
    let objects = Dictionary(grouping: try #require(truth["annotations"]?.array)) {
      $0["image_id"]?.integer
    }
    let regions = try #require(file["annotations"]?.array)
    #expect(regions.count == world.summary.images * 16)
    #expect(world.summary.regionCaptions == regions.count)
    #expect(regions.map { $0["id"]?.integer } == (1...regions.count).map { $0 })
    for region in regions {
      let window = (region["bbox"]?.array ?? []).compactMap(\.number)
      try #require(window.count == 4 && window[2] > 0 && window[3] > 0)
      #expect(window[0] >= 0 && window[0] + window[2] <= 128 + 1e-9)
      #expect(window[1] >= 0 && window[1] + window[3] <= 128 + 1e-9)
      var visible: Set<String> = []
      for object in objects[region["image_id"]?.integer] ?? [] {
        let box = (object["bbox"]?.array ?? []).compactMap(\.number)
        try #require(box.count == 4)
        let across = min(box[0] + box[2], window[0] + window[2]) - max(box[0], window[0])
        let down = min(box[1] + box[3], window[1] + window[3]) - max(box[1], window[1])
        guard across > 0, down > 0, across * down > 0.5 * box[2] * box[3] else { continue }
        visible.insert(try #require(names[object["category_id"]?.integer ?? 0]))
      }
      let caption = try #require(region["caption"]?.string)
      #expect(Self.classes(in: caption, kind) == visible, "\(region.text())")
      #expect((caption == "nothing") == visible.isEmpty)
      #expect(caption.split(separator: " ").count { $0 == "and" } == max(0, visible.count - 1))
    }
  }

  @Test func windowsAndCaptionsFollowTheRecipe() throws {
    let scenes = (0..<500).map { Scene(seed: 7, index: $0) }
    let captions = scenes.flatMap { $0.regions(16, pixels: 96) }.map(\.caption)
    let counts = captions.map { Self.classes(in: $0).count }
    func share(_ count: Int) -> Double { Double(count) / Double(captions.count) }
    let (none, one) = (share(counts.count { $0 == 0 }), share(counts.count { $0 == 1 }))
    #expect(none > 0.02 && none < 0.1, "\(none) of the captions say nothing")
    #expect(one > 0.65 && one < 0.85, "\(one) of the captions name one class")
    let several = captions.filter { Self.classes(in: $0).count > 1 }
    #expect(share(several.count) > 0.15 && share(several.count) < 0.3)
    #expect(
      captions.reduce(into: Set<String>()) { $0.formUnion(Self.classes(in: $1)) }.count == 24)
    for prefix in ["a photo of a ", "there is a "] {
      let found = share(captions.count { $0.hasPrefix(prefix) }) / (1 - none)
      #expect(found > 0.3 && found < 0.37, "\(found) of the captions start with \(prefix)")
    }
    // Either order of two classes occurs.
    let ordered = several.filter { caption in
      let words = caption.split(separator: " ").map(String.init)
      let named = words.filter { Glyph(rawValue: $0) != nil }
      return named == named.sorted()
    }
    #expect(ordered.count > several.count / 4 && ordered.count < several.count * 3 / 4)
  }

  @Test func windowsAreCloseUpsContextAndAnywhere() throws {
    // One object in the middle tells the kinds apart: by their size relative to it.
    let scene = try #require(
      (0..<1000).lazy.map { Scene(seed: 8, index: $0) }.first {
        $0.objects.count == 1 && $0.objects.allSatisfy { $0.box.x1 > 38 && $0.box.x2 < 58 }
      })
    let box = try #require(scene.objects.first).box
    let size = Double(max(box.width, box.height))
    let windows = scene.regions(4000, pixels: 96).map(\.window)
    let sides = windows.map { ($0.width * $0.height).squareRoot() / size }
    let small = Double(sides.count { $0 < 1.5 }) / 4000
    // Close-ups, a few windows anywhere, and a few that the edge of the picture cuts.
    #expect(small > 0.42 && small < 0.6, "\(small) of the windows are close-ups")
    #expect(sides.allSatisfy { $0 < 3.21 } && sides.contains { $0 > 2.9 })
    let ratios = windows.map { $0.width / $0.height }
    #expect(ratios.contains { $0 < 0.75 } && ratios.contains { $0 > 1.33 })
  }

  @Test func withoutObjectsEveryWindowIsAnywhere() {
    var random = CounterRandom(seed: 9)
    let windows = (0..<2000).map { _ in Scene.window(among: [], .shapes, pixels: 192, &random) }
    for window in windows {
      #expect(window.x1 >= 0 && window.x2 <= 192 + 1e-9)
      #expect(window.y1 >= 0 && window.y2 <= 192 + 1e-9)
      let side = (window.width * window.height).squareRoot() / 2
      #expect(side > 15.9 && side < 40.1)
    }
    #expect(windows.contains { $0.x1 < 8 } && windows.contains { $0.x2 > 184 })
  }

  @Test func numbersOfRegionsOnlyAddToTheFile() throws {
    let (few, many) = (
      try World(images: 3, seed: 2, regions: 2), try World(images: 3, seed: 2, regions: 5)
    )
    let (first, all) = (try few.regions(), try many.regions())
    #expect(first.pairs.count == 6 && all.pairs.count == 15)
    for image in 0..<3 {
      #expect(
        first.pairs.filter { $0.imageIndex == image }
          == Array(all.pairs.filter { $0.imageIndex == image }.prefix(2)))
    }
    let none = try World(images: 3, seed: 2, regions: 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(none.folder)/annotations")
    #expect(!names.contains("region_captions.json") && names.contains("classes.json"))
    for name in names {
      let file = "annotations/\(name)"
      #expect(
        try Data(contentsOf: URL(filePath: "\(none.folder)/\(file)"))
          == Data(contentsOf: URL(filePath: "\(many.folder)/\(file)")), "\(name)")
    }
    let boxes = try COCOAnnotations(path: "\(many.folder)/annotations/instances.json").report.boxes
    #expect(many.summary.baseBoxes + many.summary.novelBoxes == boxes)
    #expect(many.summary.images == 3 && many.summary.captions == 3)
  }
}
