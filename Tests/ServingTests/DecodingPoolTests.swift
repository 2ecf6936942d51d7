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
    let image = try await pool.decode(small).image
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

  @Test func picturesThatWaitShareTheirMemory() async throws {
    var limits = ServerLimits()
    limits.pixels = 24_000_000
    let pool = DecodingPool(limits: limits)
    // Four of the largest are allowed, 288 MB, whatever else is waiting.
    let large = Array(try Image(width: 6000, height: 4000).pngData())
    var waiting: [DecodedPicture] = []
    for _ in 0..<4 { waiting.append(try await pool.decode(large)) }
    let refused = try #require(await fault(pool, large))
    #expect(refused.status == .unavailable && refused.retryAfter == 1)
    #expect(await fault(pool, Array(large.prefix(100)))?.status == .unavailable)
    // One that is damaged gives back what it took, as does one that is done with: as soon as the thread
    // that decoded it has let go of it.
    waiting.removeLast()
    var damaged = await fault(pool, Array(large.prefix(100)))
    for _ in 0..<1000 where damaged?.status == .unavailable {
      try await Task.sleep(nanoseconds: 10_000_000)
      damaged = await fault(pool, Array(large.prefix(100)))
    }
    #expect(damaged?.status == .unprocessable)
    #expect(await fault(pool, Array(large.prefix(100)))?.status == .unprocessable)
    waiting.append(try await pool.decode(large))
    #expect(waiting.count == 4)
  }
}
