import Foundation
import KernelLibrary
import OpenCL
import TestSupport
import Testing

@Suite("Keys of tuning records")
struct TuningKeyTests {
  @Test("the key names device, driver, family and the source of its kernels")
  func key() throws {
    try TestDevice.withContext { context in
      let device = context.device
      let key = try TuningRecord.Key(device, family: .cpu)
      #expect(key.device == device.name && key.platform == device.platformName)
      #expect(key.driver == device.driver && key.source.count == 64)
      let other = try TuningRecord.Key(device, family: .generic)
      #expect(other.family == .generic && other.source != key.source)
      #expect(try TuningRecord.Key(device, family: .cpu) == key)
    }
  }

  @Test("the digest follows the files and what they include")
  func digest() throws {
    let one = try KernelSource.digest(of: ["MatrixProduct.cl"])
    #expect(try KernelSource.digest(of: ["MatrixProduct.cl"]) == one)
    #expect(try KernelSource.digest(of: ["MatrixProduct.cl", "Pointwise.cl"]) != one)
    #expect(throws: KernelSource.Missing.self) { try KernelSource.digest(of: ["Missing.cl"]) }
  }

  @Test("a context takes up what is accepted for its device, and nothing else")
  func context() throws {
    let folder = try TemporaryFolder()
    try TestDevice.withContext { context in
      let store = TuningStore(folder: folder.path)
      try context.loadTuning(from: store) { Issue.record("\($0)") }
      #expect(context.tuning == nil)
      var record = TuningRecord(key: try .init(context.device, family: context.family))
      var entry = TuningRecord.Entry()
      entry.parameters = ["SPLITS": 2]
      record.entries = ["a product": entry]
      try store.save(record)
      try context.loadTuning(from: store) { Issue.record("\($0)") }
      #expect(context.tuning == nil)
      record.decide(["a product"], isAccepted: true)
      try store.save(record)
      try context.loadTuning(from: store) { Issue.record("\($0)") }
      #expect(context.tuning == record.table && context.tuning != nil)
      try Data("{".utf8).write(to: URL(filePath: store.path(for: record.key)))
      var warnings: [String] = []
      try context.loadTuning(from: store) { warnings.append($0) }
      #expect(context.tuning == nil && warnings.count == 1)
    }
  }
}
