/// The compressed text of run lengths that COCO files hold (spec evaluation 5.4).
///
/// From the fourth run on the difference to the run two before is stored. Each number takes five bits
/// a character, low bits first, with bit 0x20 set when more follow; 48 is added to every character.
extension RunLengthMask {
  /// Reads a compressed text.
  ///
  /// - Parameters:
  ///   - width: The width in pixels.
  ///   - height: The height in pixels.
  ///   - text: The compressed run lengths.
  /// - Throws: ``MaskError`` for a broken text or runs that do not add up to the number of pixels.
  package init(width: Int, height: Int, text: String) throws(MaskError) {
    try Self.check(width: width, height: height)
    let bytes = Array(text.utf8)
    var runs: [Int] = []
    var position = 0
    while position < bytes.count {
      var value = 0
      var shift = 0
      while true {
        // 35 bits hold any run; a longer number is no run of a picture.
        guard position < bytes.count, (48..<112).contains(bytes[position]), shift < 35 else {
          throw MaskError.text(offset: position)
        }
        let piece = Int(bytes[position]) - 48
        value |= (piece & 0x1F) << shift
        shift += 5
        position += 1
        guard piece & 0x20 == 0 else { continue }
        if piece & 0x10 != 0 { value |= -1 << shift }
        break
      }
      if runs.count > 2 { value += runs[runs.count - 2] }
      guard value >= 0, value <= width * height else {
        throw MaskError.run(index: runs.count, value: value)
      }
      runs.append(value)
    }
    try self.init(width: width, height: height, runs: runs)
  }

  /// The compressed text.
  package var text: String {
    var bytes: [UInt8] = []
    for (index, run) in runs.enumerated() {
      var value = Int(run)
      if index > 2 { value -= Int(runs[index - 2]) }
      while true {
        let piece = UInt8(value & 0x1F)
        value >>= 5
        let isLast = piece & 0x10 == 0 ? value == 0 : value == -1
        bytes.append((isLast ? piece : piece | 0x20) + 48)
        if isLast { break }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
