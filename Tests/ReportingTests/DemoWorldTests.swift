import Annotations
import DemoWorld
import Foundation
import Geometry
import Pictures
import TestSupport
import Testing

@Suite struct DemoWorldTests {
  @Test func classesArePartedAndThemed() throws {
    #expect(Glyph.allCases.count == 24 && Glyph.base.count == 16 && Glyph.novel.count == 8)
    #expect(Set(Glyph.themes.joined()) == Set(Glyph.allCases))
    for theme in Glyph.themes {
      #expect(theme.count == 3 && theme.count { Glyph.novel.contains($0) } == 1)
    }
    #expect(WorldKind.shapes.classes.map(\.glyph) == Glyph.allCases)
    #expect(WorldKind.shapes.novel.map(\.glyph) == Glyph.novel)
    for thing in WorldKind.shapes.classes {
      #expect(thing.ground == nil && thing.name == thing.glyph.rawValue)
    }
  }

  @Test func glyphsCoverWhatTheirFormulaSays() {
    let grid = stride(from: -0.975, to: 1, by: 0.05)
    var masks: Set<[Bool]> = []
    for glyph in Glyph.allCases {
      let mask = grid.flatMap { y in grid.map { x in glyph.contains(x: x, y: y) } }
      let share = Double(mask.count { $0 }) / Double(mask.count)
      #expect(share > 0.1 && share < 0.9, "\(glyph) covers \(share)")
      masks.insert(mask)
    }
    #expect(masks.count == 24)
    #expect(Glyph.star.contains(x: 0, y: -0.95) && !Glyph.star.contains(x: 0, y: 0.6))
    #expect(!Glyph.star.contains(x: 0.6, y: -0.8) && Glyph.star.contains(x: 0.55, y: 0.75))
    #expect(Glyph.heart.contains(x: 0, y: 0.5) && !Glyph.heart.contains(x: 0, y: -0.8))
    #expect(Glyph.arrow.contains(x: 0, y: -0.9) && !Glyph.disk.contains(x: 2, y: 0))
  }

  @Test func scenesFollowTheRecipe() {
    let scenes = (0..<1000).map { Scene(seed: 3, index: $0) }
    let objects = scenes.flatMap(\.objects)
    #expect(scenes.allSatisfy { (1...8).contains($0.objects.count) })
    let mean = Double(objects.count) / 1000
    #expect(mean > 3 && mean < 3.4, "\(mean) objects a scene")
    let novel = Double(objects.count { $0.thing.isNovel }) / Double(objects.count)
    #expect(novel > 0.28 && novel < 0.39, "\(novel) of the objects are novel")
    for object in objects {
      #expect(object.box.x1 >= 0 && object.box.y1 >= 0)
      #expect(object.box.x2 <= 96 && object.box.y2 <= 96)
      #expect(object.box.width >= 13 && object.box.width <= 34)
    }
    #expect(scenes[4] == Scene(seed: 3, index: 4))
    #expect(scenes[4] != Scene(seed: 4, index: 4))
  }

  @Test func picturesShowTheObjects() throws {
    let scene = Scene(seed: 8, index: 0)
    let small = scene.render()
    #expect(small == scene.render() && small.width == 96)
    #expect(scene.render(pixels: 160).width == 160)
    // Objects are brighter than the background, whose mean is at most 0.4 plus tint and noise.
    let object = try #require(scene.objects.last)
    let brightest = (Int(object.box.y1)..<Int(object.box.y2)).flatMap { y in
      (Int(object.box.x1)..<Int(object.box.x2)).map { x -> UInt8 in
        let color = small[x, y]
        return max(color.red, color.green, color.blue)
      }
    }.max()
    #expect(try #require(brightest) > 150)
  }

  @Test func captionsNameEachClassOnce() {
    #expect(Scene.caption(of: ["disk", "star", "disk"]) == "a photo of a disk and a star")
    #expect(Scene.caption(of: ["ell"], prefix: "") == "a ell")
    #expect(Scene.caption(of: []) == "nothing")
  }

  @Test func widerPicturesRepeatTheScene() throws {
    let temporary = try TemporaryFolder()
    let square = "\(temporary.path)/square"
    let wide = "\(temporary.path)/wide"
    try DemoWorld.write(to: square, images: 2, seed: 5, pixels: 96)
    try DemoWorld.write(to: wide, images: 2, seed: 5, pixels: 96, width: 160)
    let (scenes, wider) = (
      try COCOAnnotations(path: "\(square)/annotations/instances.json"),
      try COCOAnnotations(path: "\(wide)/annotations/instances.json")
    )
    #expect(wider.report.warnings == [])
    for (scene, image) in zip(scenes.images, wider.images) {
      #expect(image.width == 160 && image.height == 96)
      #expect(image.objects.map(\.box) == scene.objects.map(\.box))
      let picture = try ImageDecoder.decode(path: "\(wide)/images/\(image.fileName)")
      let original = try ImageDecoder.decode(path: "\(square)/images/\(image.fileName)")
      #expect(picture.width == 160 && picture.height == 96)
      #expect(picture[5, 7] == original[5, 7] && picture[96 + 5, 7] == original[5, 7])
    }
    let object = try #require(Scene(seed: 5, index: 0).objects.first)
    let masks = (try object.mask(pixels: 96), try object.mask(pixels: 96, width: 160))
    #expect(masks.1.width == 160 && masks.1.area == masks.0.area)
  }

  @Test func foldersAreOrdinaryDataSetsWithEqualBytes() throws {
    let temporary = try TemporaryFolder()
    let root = temporary.path
    for name in ["one", "two"] {
      try DemoWorld.write(to: "\(root)/\(name)", images: 6, seed: 5, pixels: 96)
    }
    let names = try FileManager.default.subpathsOfDirectory(atPath: "\(root)/one").sorted()
    #expect(names.count == 6 + 6 + 2)
    for name in names where name.contains(".") {
      let files = try ["one", "two"].map {
        try Data(contentsOf: URL(fileURLWithPath: "\(root)/\($0)/\(name)"))
      }
      #expect(files[0] == files[1], "\(name)")
    }

    let folder = "\(root)/one/annotations"
    let all = try COCOAnnotations(path: "\(folder)/instances.json")
    let base = try COCOAnnotations(path: "\(folder)/instances_base.json")
    let novel = try COCOAnnotations(path: "\(folder)/instances_novel.json")
    #expect(all.categories.count == 24 && all.images.count == 6)
    #expect(all.report.warnings == [])
    #expect(base.report.boxes + novel.report.boxes == all.report.boxes)
    let split = try OpenVocabularySplit(path: "\(folder)/classes.json")
    #expect(split.base == Glyph.base.map(\.rawValue))
    let kept = try COCOAnnotations(path: "\(folder)/instances.json", keeping: split.base)
    // Only the places of the annotations in their files differ.
    #expect(kept.images.map { $0.objects.map(\.id) } == base.images.map { $0.objects.map(\.id) })
    #expect(kept.images.map { $0.objects.map(\.box) } == base.images.map { $0.objects.map(\.box) })
    #expect(try Captions(path: "\(folder)/captions.json").images.count == 6)
    let record = try #require(all.images.first)
    let image = try ImageDecoder.decode(path: "\(root)/one/images/\(record.fileName)")
    #expect(image == Scene(seed: 5, index: 0).render())
  }

  @Test func masksLieInTheirBoxes() throws {
    for index in 0..<20 {
      for object in Scene(seed: 5, index: index).objects {
        for pixels in [96, 400] {
          let bounds = try object.mask(pixels: pixels).bounds
          let scale = Float(pixels) / Float(Scene.side)
          let box = object.box
          // A shape is turned a little in its box.
          for (edge, wanted) in [
            (bounds.x1, box.x1), (bounds.y1, box.y1), (bounds.x2, box.x2), (bounds.y2, box.y2),
          ] {
            let slack = 1 + 0.3 * scale * max(box.width, box.height)
            #expect(abs(Float(edge) - scale * wanted) < slack, "\(object.thing.name)")
          }
        }
      }
    }
  }

  @Test func anUnwritableFolderIsOneLine() {
    #expect {
      try DemoWorld.write(to: "/proc/demo", images: 1, seed: 1)
    } throws: {
      "\($0)".contains("/proc/demo/images: the folder cannot be made")
    }
  }
}
