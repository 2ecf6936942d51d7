import Annotations
import Foundation
import Geometry
import Loading
import TestSupport
import Testing

@Suite struct ClassBalanceTests {
  @Test func rareClassesAreRepeated() {
    func image(_ id: Int, labels: [Int]) -> COCOAnnotations.ImageRecord {
      let box = Box(x1: 0, y1: 0, x2: 2, y2: 2)
      return COCOAnnotations.ImageRecord(
        id: id, fileName: "\(id)", width: 9, height: 9,
        objects: labels.map { .init(id: id, box: box, label: $0, area: 4) })
    }
    // Class 0 in 4 of 5 images, class 1 in 1 of 5: sqrt(0.9 / 0.2) = 2.1, repeated 3 times.
    let images = [
      image(1, labels: [0]), image(2, labels: [0, 0]), image(3, labels: [0, 1]),
      image(4, labels: [0]), image(5, labels: []),
    ]
    let repeated = ClassBalance.repeated(Array(0..<5), of: images, threshold: 0.9)
    #expect(repeated == [0, 0, 1, 1, 2, 2, 2, 3, 3, 4])
    #expect(ClassBalance.repeated([0, 1, 4], of: images, threshold: 0.1) == [0, 1, 4])
  }

  @Test(.enabled(if: SharedData.has("lvis-mini"), "needs the folder lvis-mini"))
  func rareClassesAreRepeatedFromTheIndexAlone() throws {
    let folder = try TemporaryFolder()
    let source = "\(SharedData.root)/lvis-mini/annotations/lvis_v1style_val_mini.json"
    let path = folder.path + "/lvis.json"
    try FileManager.default.copyItem(atPath: source, toPath: path)
    let data = try COCOAnnotations(path: path)
    try FileManager.default.removeItem(atPath: path)
    let all = data.imageIndices(annotatedWith: nil, minimumSide: 32)
    #expect(all.count == 40)
    #expect(ClassBalance.repeated(all, of: data.images, threshold: 0.001) == all)
    // A class of one of 40 images asks for sqrt(0.1 * 40) = 2 copies.
    let repeated = ClassBalance.repeated(all, of: data.images, threshold: 0.1)
    let lonely = all.filter { index in
      data.images[index].annotatedLabels.contains { label in
        data.images.count { $0.annotatedLabels.contains(label) } == 1
      }
    }
    #expect(!lonely.isEmpty && lonely.allSatisfy { index in repeated.count { $0 == index } == 2 })
  }
}
