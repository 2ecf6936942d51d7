import Foundation
import Pictures
import TestSupport
import Testing

@testable import Serving

@Suite("Decoding pool")
struct DecodingPoolTests {
  private func fault(_ pool: DecodingPool, _ file: [UInt8]) async -> HTTPFault? {
    do {
      _ = try await pool.decode(file)
      return nil
    } catch {
      return error as? HTTPFault
    }
  }

  @Test func picturesAreDecodedAndOthersRefused() async throws {
    var limits = ServerLimits()
    limits.pixels = 100
    let pool = DecodingPool(limits: limits)
    let small = Array(try Image(width: 10, height: 10).pngData())
    let image = try await pool.decode(small)
    #expect(image.width == 10 && image.height == 10)
    let large = Array(try Image(width: 11, height: 10).pngData())
    let refused = try #require(await fault(pool, large))
    #expect(
      refused.status == .tooLarge && refused.reason.contains("11x10 pixels, more than the 100"))
    #expect(await fault(pool, Array("no picture".utf8))?.status == .unprocessable)
    #expect(await fault(pool, [])?.status == .unprocessable)
    // Of a size that overflows, and cut in the middle.
    var hostile = small
    for place in 16..<24 { hostile[place] = 0xFF }
    #expect(await fault(pool, hostile) != nil)
    #expect(await fault(pool, Array(small.prefix(40))) != nil)
    #expect(
      await pool.digest(of: Array("abc".utf8))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}
