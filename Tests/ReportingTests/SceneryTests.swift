import Foundation
import Geometry
import Pictures
import Testing

@testable import DemoWorld

/// The world in which only the ground tells two names of a shape apart.
@Suite struct SceneryTests {
  @Test func classesArePairsAndControls() {
    let kind = WorldKind.scenery
    #expect(kind.base.count == 12 && kind.novel.count == 10)
    #expect(Set(kind.classes.map(\.name)).count == 22)
    let shapes = Dictionary(grouping: kind.classes, by: \.glyph)
    for (glyph, classes) in shapes {
      #expect(Set(classes.map(\.isNovel)).count == 1, "\(glyph)")
      let grounds = classes.map(\.ground)
      #expect(grounds == [nil] || grounds == [.striped, .dotted], "\(glyph)")
    }
    let pairs = shapes.values.filter { $0.count == 2 }
    #expect(pairs.count { $0[0].isNovel } == 4 && pairs.count { !$0[0].isNovel } == 4)
  }

  @Test func scenesFollowTheRecipe() {
    let scenes = (0..<600).map { Scene(kind: .scenery, seed: 3, index: $0) }
    for scene in scenes {
      #expect((1...4).contains(scene.objects.count))
      for object in scene.objects {
        #expect(object.thing.ground == nil || object.thing.ground == scene.ground)
        let box = object.box
        #expect(min(box.x1, box.y1) >= 6 && max(box.x2, box.y2) <= 90.001)
        #expect(min(box.width, box.height) > 12 && max(box.width, box.height) < 24)
        for other in scene.objects where other != object {
          let across = max(other.box.x1 - box.x2, box.x1 - other.box.x2)
          #expect(max(across, max(other.box.y1 - box.y2, box.y1 - other.box.y2)) >= 12)
        }
      }
    }
    let things = scenes.flatMap(\.objects).map(\.thing)
    func share(_ count: Int) -> Double { Double(count) / Double(things.count) }
    #expect(abs(share(things.count { $0.ground != nil }) - 0.7) < 0.05)
    #expect(abs(share(things.count { $0.ground == .striped }) - 0.35) < 0.07)
    #expect(Set(things).count == 22)
    #expect(scenes[4] == Scene(kind: .scenery, seed: 3, index: 4) && scenes[4] != scenes[5])
  }

  @Test func captionsTellOfTheGroundMostlyWhereItIsInView() {
    let regions = (0..<200).map { index -> (hidden: Int, all: Int) in
      let scene = Scene(kind: .scenery, seed: 6, index: index)
      let windows = scene.regions(16, pixels: 96).map(\.window)
      return (windows.count { scene.hidesGround($0, pixels: 96) }, windows.count)
    }
    let share = Double(regions.reduce(0) { $0 + $1.hidden }) / (200 * 16)
    #expect(regions.allSatisfy { $0.all == 16 } && share > 0.02 && share < 0.15, "\(share)")
  }

  @Test func theSurestOfTwoNamesAtAPlaceIsTheChoice() throws {
    func finding(
      _ image: Int, _ name: String, _ left: Float, _ score: Double = 1
    ) -> NameChoice.Finding {
      .init(
        image: image, name: name, box: Box(x1: left, y1: 0, x2: left + 10, y2: 10),
        score: score)
    }
    let objects = [
      finding(1, "cup", 0), finding(1, "rake", 30), finding(2, "moth", 0), finding(2, "hose", 50),
      finding(3, "fence", 0),
    ]
    let findings = [
      finding(1, "cup", 1, 0.6), finding(1, "bucket", 1, 0.5),  // right
      finding(1, "rake", 30, 0.2), finding(1, "fork", 32, 0.3),  // wrong
      finding(1, "rake", 34, 0.9),  // overlaps by 6 of 14: elsewhere
      finding(2, "candy", 0, 0.9), finding(2, "leaf", 0, 1),  // wrong; a leaf has another shape
      finding(1, "hose", 50), finding(3, "fence", 0),  // another picture; a shape with one name
    ]
    let choice = try #require(
      NameChoice(kind: .scenery, objects: objects, findings: findings))
    #expect(choice.novel.found == 2 && choice.novel.right == 1 && choice.novel.percent == 50)
    #expect(choice.base.found == 1 && choice.base.right == 0)
    #expect(NameChoice(kind: .shapes, objects: objects, findings: findings) == nil)
    let taught = try #require(
      NameChoice(
        kind: .scenery, names: ["cup", "bucket", "fence", "bud", "pear"], labels: [0, 1, 2, 4],
        cosines: [[0.5, 0.4, 1, 0, 0], [0.5, 0.4, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0.1]]))
    #expect(taught.novel.found == 2 && taught.novel.right == 1)
    #expect(taught.base.found == 1 && taught.base.percent == 100)
  }

  /// Statistics of the picture in a box: how alike its grey values are some places apart, across and
  /// down.
  private static func features(_ image: Image, _ box: Box, scale: Float) -> [Double] {
    let side = 24
    let (width, height) = (box.width * scale, box.height * scale)
    let (left, top) = ((box.x1 + box.x2 - width) / 2, (box.y1 + box.y2 - height) / 2)
    func place(_ low: Float, _ size: Float, _ step: Int) -> Int {
      max(0, min(95, Int(low + size * (Float(step) + 0.5) / Float(side))))
    }
    var grey = (0..<side * side).map { index -> Double in
      let color = image[
        place(left, width, index % side), place(top, height, index / side)]
      return Double(color.red) + Double(color.green) + Double(color.blue)
    }
    let mean = grey.reduce(0, +) / Double(grey.count)
    grey = grey.map { $0 - mean }
    let variance = grey.reduce(1e-9) { $0 + $1 * $1 }
    return (1...8).flatMap { lag -> [Double] in
      var sums = [0.0, 0.0]
      for row in 0..<side {
        for column in 0..<side - lag {
          sums[0] += grey[row * side + column] * grey[row * side + column + lag]
          sums[1] += grey[column * side + row] * grey[(column + lag) * side + row]
        }
      }
      return sums.map { $0 / variance }
    } + [1]
  }

  /// The share of held-out objects whose ground a logistic regression on the statistics tells.
  private static func probe(scale: Float) -> Double {
    var samples: [(x: [Double], y: Double)] = []
    for index in 0..<300 {
      let scene = Scene(kind: .scenery, seed: 9, index: index)
      let image = scene.render()
      for object in scene.objects where object.thing.ground != nil {
        samples.append(
          (features(image, object.box, scale: scale), scene.ground == .striped ? 1 : 0))
      }
    }
    let learned = samples.prefix(samples.count * 2 / 3)
    let held = samples.dropFirst(learned.count)
    var weights = [Double](repeating: 0, count: samples[0].x.count)
    func logit(_ x: [Double]) -> Double { zip(weights, x).reduce(0) { $0 + $1.0 * $1.1 } }
    for _ in 0..<200 {
      var gradient = weights.map { _ in 0.0 }
      for sample in learned {
        let error = 1 / (1 + exp(-logit(sample.x))) - sample.y
        for index in gradient.indices { gradient[index] += error * sample.x[index] }
      }
      for index in weights.indices { weights[index] -= 5 * gradient[index] / Double(learned.count) }
    }
    return Double(held.count { (logit($0.x) > 0) == ($0.y == 1) }) / Double(held.count)
  }

  @Test func aTightCropDoesNotShowTheGroundAndAnEnlargedOneDoes() {
    let (tight, enlarged) = (Self.probe(scale: 1), Self.probe(scale: 2))
    #expect(abs(tight - 0.5) < 0.1, "\(tight)")
    #expect(enlarged > 0.9, "\(enlarged)")
  }
}
