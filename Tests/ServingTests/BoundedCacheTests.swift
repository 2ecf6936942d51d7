import Testing

@testable import Serving

@Suite("Bounded cache")
struct BoundedCacheTests {
  @Test func whatWasNotUsedForTheLongestGoes() {
    var cache = BoundedCache<String, Int>(limit: 10)
    cache.keep(1, for: "a", size: 4)
    cache.keep(2, for: "b", size: 4)
    #expect(cache.value("a") == 1 && cache.size == 8)
    cache.keep(3, for: "c", size: 4)
    #expect(cache.keys == ["a", "c"] && cache.size == 8)
    cache.keep(4, for: "a", size: 6)
    #expect(cache.value("a") == 4 && cache.value("c") == 3 && cache.size == 10 && cache.count == 2)
    // What cannot fit pushes nothing out, but no old value of its key remains.
    cache.keep(5, for: "d", size: 11)
    #expect(cache.keys == ["a", "c"])
    cache.keep(6, for: "a", size: 11)
    #expect(cache.keys == ["c"] && cache.size == 4)
    cache.keep(7, for: "e", size: 10)
    #expect(cache.keys == ["e"] && cache.size == 10)
    var none = BoundedCache<String, Int>(limit: 0)
    none.keep(1, for: "a", size: 1)
    #expect(none.count == 0)
  }

  /// Many random uses: the sum is that of the parts and never above the limit.
  @Test func sizesAddUp() {
    var cache = BoundedCache<Int, Int>(limit: 100)
    var random: UInt64 = 1
    var sizes: [Int: Int] = [:]
    for _ in 0..<2000 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let (key, size) = (Int(random >> 40) % 50, Int(random >> 50) % 30)
      cache.keep(size, for: key, size: size)
      sizes[key] = size
      #expect(cache.size <= 100 && cache.value(key) == size)
      #expect(cache.size == cache.keys.reduce(0) { $0 + (sizes[$1] ?? 1000) })
    }
  }
}
