import Formats
import Foundation

/// A NumPy `.npy` file as a file of one tensor, which is called `array`.
package final class NumPyWeights: WeightSource {
  /// What the tensor is called.
  package static let name = "array"
  /// The file's path as it was given.
  package let path: String
  private let array: HostTensor

  /// The names of all tensors.
  package var names: [String] { [Self.name] }

  /// Reads a file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``CheckpointError`` when the file is missing, damaged or of another type or order.
  package init(path: String) throws {
    self.path = path
    array = try NumPyArray.read(path: path)
  }

  /// The shape of the tensor.
  ///
  /// - Parameter name: Its name.
  /// - Returns: The lengths of its axes, or nil for another name.
  package func shape(of name: String) -> [Int]? { name == Self.name ? array.shape : nil }

  /// The stored type of the tensor.
  ///
  /// - Parameter name: Its name.
  /// - Returns: The type, or nil for another name.
  package func type(of name: String) -> StoredType? { name == Self.name ? array.type : nil }

  /// Hands the bytes of the tensor to a function.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - body: Gets the type and the bytes, which are valid during the call only.
  /// - Throws: ``CheckpointError`` for another name, or what `body` throws.
  package func read<Result>(
    _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard name == Self.name else { throw missing(name) }
    return try array.bytes.withUnsafeBytes { try body(array.type, $0) }
  }
}

extension NumPyArray {
  /// Writes a tensor as a file of format version 1, so that a reader sees the old file or the new.
  ///
  /// - Parameters:
  ///   - tensor: Floating-point numbers of 16, 32 or 64 bits or whole ones of 32 or 64 bits.
  ///   - path: The file's path; its folder must exist.
  /// - Throws: ``CheckpointError`` when the format cannot hold the type, or the file cannot be written.
  package static func write(_ tensor: HostTensor, to path: String) throws {
    guard let descriptor = types.first(where: { $0.value == tensor.type })?.key else {
      throw CheckpointError.tensor(
        path: path, name: tensor.name,
        reason: "holds \(tensor.type.rawValue), which is not written as .npy; write safetensors")
    }
    let lengths = tensor.shape.map { "\($0)," }.joined(separator: " ")
    var header = Array(
      "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(lengths)), }".utf8)
    // Spaces and a line end up to a multiple of 64, as NumPy itself does.
    let length = (10 + header.count + 1).roundedUp(toMultipleOf: 64) - 10
    header += [UInt8](repeating: 0x20, count: length - header.count - 1) + [0x0A]
    let head = magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + header
    try CheckpointError.wrapping {
      try AtomicFile.write(to: path) { descriptor in
        for part in [head, tensor.bytes] {
          try part.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
        }
      }
    }
  }
}
