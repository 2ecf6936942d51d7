import Formats
import Foundation
import Pictures

/// A decoded picture, whose memory counts as long as somebody has it.
final class DecodedPicture: Sendable {
  /// The picture.
  let image: Image
  private let budget: MemoryBudget

  /// Takes over a picture.
  ///
  /// - Parameters:
  ///   - image: The picture.
  ///   - budget: Where its bytes have been taken from.
  init(_ image: Image, from budget: MemoryBudget) {
    self.image = image
    self.budget = budget
  }

  deinit { budget.giveBack(image.bytes.count) }
}

/// Decodes pictures and computes digests beside the device, as many at a time as there are cores.
final class DecodingPool: Sendable {
  private let queue = OperationQueue()
  private let limits: ServerLimits
  private let budget: MemoryBudget

  init(limits: ServerLimits) {
    self.limits = limits
    budget = MemoryBudget(limit: limits.allPicturesBytes)
    queue.maxConcurrentOperationCount = Cores.usable
  }

  /// The SHA-256 of a file.
  func digest(of file: [UInt8]) async -> String {
    await withCheckedContinuation { continuation in
      queue.addOperation {
        var digest = SHA256()
        file.withUnsafeBytes { digest.update($0) }
        continuation.resume(returning: digest.hexadecimal())
      }
    }
  }

  /// Decodes a file.
  ///
  /// - Parameter file: The file's bytes.
  /// - Throws: ``HTTPFault`` when it is no picture, damaged or too large, or when there is no memory for
  ///   it now.
  func decode(_ file: [UInt8]) async throws -> DecodedPicture {
    try await withCheckedThrowingContinuation { continuation in
      queue.addOperation { [limits, budget] in
        continuation.resume(
          with: Result { try Self.decode(file, mostPixels: limits.pixels, from: budget) })
      }
    }
  }

  private static func decode(
    _ file: [UInt8], mostPixels: Int, from budget: MemoryBudget
  ) throws -> DecodedPicture {
    var taken = 0
    do {
      let image = try file.withUnsafeBytes { bytes in
        // What a header declares is looked at before memory is taken for it.
        if let header = try? PictureHeader(bytes, path: "picture") {
          try check(header.width, header.height, mostPixels)
          let count = 3 * header.width * header.height
          try budget.take(count)
          taken = count
        }
        let image = try ImageDecoder.decode(bytes, name: "picture")
        try check(image.width, image.height, mostPixels)
        return image
      }
      // Of a file whose header is not told, or told wrongly.
      let missing = image.bytes.count - taken
      if missing > 0 { try budget.take(missing) } else { budget.giveBack(-missing) }
      return DecodedPicture(image, from: budget)
    } catch {
      budget.giveBack(taken)
      guard error is PictureError else { throw error }
      throw HTTPFault(.unprocessable, PrintedText.line("\(error)"))
    }
  }

  private static func check(_ width: Int, _ height: Int, _ mostPixels: Int) throws {
    guard width.multipliedReportingOverflow(by: height).partialValue <= mostPixels,
      width <= mostPixels, height <= mostPixels
    else {
      throw HTTPFault(
        .tooLarge,
        "the picture has \(width)x\(height) pixels, more than the \(mostPixels) that are allowed")
    }
  }
}
