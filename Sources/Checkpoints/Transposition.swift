/// A dense matrix with rows and columns exchanged.
///
/// - Parameters:
///   - matrix: The elements, row-major.
///   - rows: Rows of the result.
///   - columns: Columns of the result.
///   - width: The size of an element in bytes: 1, 2, 4 or 8.
/// - Returns: The elements of the result, row-major.
func transposed(
  _ matrix: UnsafeRawBufferPointer, rows: Int, columns: Int, width: Int
) -> [UInt8] {
  func move<Element: FixedWidthInteger>(_ type: Element.Type) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: rows * columns * width) { target, initialised in
      let target = UnsafeMutableRawBufferPointer(target)
      for row in 0..<rows {
        for column in 0..<columns {
          let element = matrix.loadUnaligned(
            fromByteOffset: (column &* rows &+ row) &* width, as: Element.self)
          target.storeBytes(
            of: element, toByteOffset: (row &* columns &+ column) &* width, as: Element.self)
        }
      }
      initialised = rows * columns * width
    }
  }
  precondition(matrix.count == rows * columns * width, "a matrix of other sizes")
  return switch width {
  case 1: move(UInt8.self)
  case 2: move(UInt16.self)
  case 4: move(UInt32.self)
  default: move(UInt64.self)
  }
}
