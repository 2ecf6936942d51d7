import Formats
import Foundation
import Pictures

/// Decodes pictures and computes digests beside the device, as many at a time as there are cores.
final class DecodingPool: Sendable {
  private let queue = OperationQueue()
  private let limits: ServerLimits

  init(limits: ServerLimits) {
    self.limits = limits
    queue.maxConcurrentOperationCount = max(1, ProcessInfo.processInfo.activeProcessorCount)
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
  /// - Throws: ``HTTPFault`` when it is no picture, damaged or too large.
  func decode(_ file: [UInt8]) async throws -> Image {
    let limit = limits.pixels
    return try await withCheckedThrowingContinuation { continuation in
      queue.addOperation {
        continuation.resume(with: Result { try Self.decode(file, mostPixels: limit) })
      }
    }
  }

  private static func decode(_ file: [UInt8], mostPixels: Int) throws -> Image {
    do {
      return try file.withUnsafeBytes { bytes in
        // What a header declares is looked at before memory is taken for it.
        if let header = try? PictureHeader(bytes, path: "picture") {
          try check(header.width, header.height, mostPixels)
        }
        let image = try ImageDecoder.decode(bytes, name: "picture")
        try check(image.width, image.height, mostPixels)
        return image
      }
    } catch let error as PictureError {
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
