import Foundation
import KernelLibrary
import Testing

@testable import Training

@Suite("Shipped lists of programs")
struct ShippedProgramsTests {
  @Test("Every line names a kernel file and parameters that it has")
  func lines() throws {
    for list in ShippedPrograms.all {
      #expect(list.entries.count > 20, "\(list.preset)")
      #expect(Set(list.entries).count == list.entries.count, "\(list.preset)")
      #expect(!list.choices.isEmpty, "\(list.preset)")
      for entry in Set(list.entries) {
        let source = try KernelSource.assembled("\(entry.file).cl")
        for name in entry.parameters.keys {
          #expect(source.contains(name), "\(list.preset): \(entry.file) has no \(name)")
        }
      }
    }
  }

  @Test(
    "A configuration takes the list of the preset that it is most like",
    arguments: [
      ("ov-coco-fpn-kd", [], "ov-coco-fpn-kd"),
      ("ov-coco-fpn-kd", ["data.short_sides=[640]", "training.iterations=10"], "ov-coco-fpn-kd"),
      ("ov-coco-fpn-kd", ["model.rpn.post_nms_train=500"], "ov-coco-fpn-kd"),
      ("ov-coco-c4-caption", [], "ov-coco-c4-caption"),
      ("ov-lvis-kd", [], "ov-lvis-kd"),
      ("ov-lvis-kd-ensemble", [], "ov-lvis-kd"),
      ("demo-individual", [], "demo-bags"),
    ])
  func nearest(name: String, overrides: [String], expected: String) throws {
    let configuration = try RunConfiguration.load(name, overrides: overrides)
    #expect(ShippedPrograms.nearest(to: configuration.kernelChoices)?.preset == expected)
  }

  @Test("CLIP configurations take the teacher's list, what no preset is like takes none")
  func others() throws {
    let teacher = try CLIPTrainingConfiguration.load("demo-teacher")
    #expect(ShippedPrograms.nearest(to: teacher.kernelChoices)?.preset == "demo-teacher")
    #expect(ShippedPrograms.nearest(to: "a: 1\nb: 2\nc: 3\n") == nil)
    #expect(ShippedPrograms.nearest(to: "") == nil)
  }

  @Test("A line is a file and numbers by name, or nothing")
  func entries() {
    let entry = ProgramList.Entry("Pooling A=1 STORAGE=2")
    #expect(entry?.file == "Pooling")
    #expect(entry?.parameters == ["A": 1, "STORAGE": 2])
    #expect(ProgramList.Entry("Pooling")?.parameters == [:])
    for wrong in ["", "Pooling A", "Pooling A=x", "Pooling A=1=2"] {
      #expect(ProgramList.Entry(wrong) == nil, "\(wrong)")
    }
  }
}
