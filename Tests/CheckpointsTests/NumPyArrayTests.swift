import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("NumPy arrays")
struct NumPyArrayTests {
  private func array(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let length = header.utf8.count
    return [0x93] + Array("NUMPY".utf8) + [version, 0]
      + (version == 1 ? StoredZip.little(UInt16(length)) : StoredZip.little(UInt32(length)))
      + Array(header.utf8) + data
  }

  @Test(arguments: [1, 2, 3])
  func everyVersionIsRead(version: Int) throws {
    let scratch = try Scratch()
    let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }     \n"
    let path = try scratch.write(
      array(header, [1, 0, 0, 0, 254, 255, 255, 255], version: UInt8(version)))
    let found = try NumPyArray.read(path: path)
    #expect(found.shape == [2, 1])
    #expect(try found.integers() == [1, -2])
  }

  @Test func scalarsAndVectorsAreRead() throws {
    let scratch = try Scratch()
    let scalar = "{\"shape\": (), \"fortran_order\": False, \"descr\": \"<f4\"}"
    let first = try NumPyArray.read(path: scratch.write(array(scalar, [0, 0, 128, 63])))
    #expect(first.shape == [])
    #expect(try first.floats() == [1])
    let vector = "{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }"
    #expect(try NumPyArray.read(path: scratch.write(array(vector, [0, 0x40]))).floats() == [2])
  }

  @Test(arguments: [
    ("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "\">f4\""),
    ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "\"|O\""),
    ("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "Fortran order"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "takes 8 bytes, 4 follow"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "the shape holds"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "overflows"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "shape holds"),
    ("{'descr': '<f4', 'fortran_order': False, }", "[\"shape\"] are missing"),
    ("{'descr': '<f4', 'descr': '<f4'}", "repeated key"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "expected"),
    ("{'descr': '<f4", "expected"),
    ("", "expected"),
  ])
  func foreignHeadersAreRefused(header: String, reason: String) throws {
    let scratch = try Scratch()
    let path = try scratch.write(array(header, [0, 0, 0, 0]))
    let text = try message { try NumPyArray.read(path: path) }
    #expect(text.hasPrefix(path) && text.contains(reason), "\(text)")
  }

  @Test func damagedFilesAreRefused() throws {
    let scratch = try Scratch()
    func reason(_ bytes: [UInt8]) throws -> String {
      let path = try scratch.write(bytes)
      return try message { try NumPyArray.read(path: path) }
    }
    #expect(try reason([]).contains("not a NumPy"))
    #expect(try reason(Array("PK\u{3}\u{4} and more of it".utf8)).contains("not a NumPy"))
    #expect(try reason(array("{}", [], version: 9)).contains("version 9"))
    #expect(try reason([0x93] + Array("NUMPY".utf8) + [1, 0, 255, 255]).contains("cut short"))
    #expect(
      try reason([0x93] + Array("NUMPY".utf8) + [2, 0, 255, 255, 255, 255]).contains("cut short"))
  }

  @Test(.enabled(if: Fixtures.exist(Fixtures.metadata), "data/metadata is missing"))
  func publishedEmbeddingsHaveUnitRows() throws {
    let folder = Fixtures.metadata
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".npy") }
    #expect(!files.isEmpty)
    for file in files {
      let found = try NumPyArray.read(path: "\(folder)/\(file)")
      let width = try #require(found.shape.last)
      let values = try found.floats()
      for start in stride(from: 0, to: values.count, by: width) {
        let square = values[start..<start + width].reduce(0) { $0 + $1 * $1 }
        // Half precision keeps about three digits.
        #expect(abs(square - 1) < 4e-3)
      }
    }
  }
}
