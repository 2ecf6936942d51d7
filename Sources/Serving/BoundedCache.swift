/// Values by key whose sizes together stay below a limit: what was not asked for the longest goes.
struct BoundedCache<Key: Hashable, Value> {
  private struct Entry {
    let value: Value
    let size: Int
    var lastUse: UInt64
  }

  /// The limit of all sizes together.
  let limit: Int
  /// The sizes of what is kept.
  private(set) var size = 0
  private var entries: [Key: Entry] = [:]
  private var uses: UInt64 = 0

  /// An empty cache.
  ///
  /// - Parameter limit: What the sizes of all values together may be.
  init(limit: Int) { self.limit = limit }

  /// How many values are kept.
  var count: Int { entries.count }

  /// The value of a key, which is then the one that goes last.
  mutating func value(_ key: Key) -> Value? {
    guard var entry = entries[key] else { return nil }
    uses += 1
    entry.lastUse = uses
    entries[key] = entry
    return entry.value
  }

  /// The keys that have a value.
  var keys: Set<Key> { Set(entries.keys) }

  /// Keeps a value, unless it is larger than the limit on its own.
  ///
  /// - Parameters:
  ///   - value: The value.
  ///   - key: Its key; an old value of it goes.
  ///   - size: Its size, at least 0.
  mutating func keep(_ value: Value, for key: Key, size new: Int) {
    remove(key)
    guard new <= limit else { return }
    if size > limit - new {
      let old = entries.sorted { $0.value.lastUse < $1.value.lastUse }
      for (key, _) in old where size > limit - new { remove(key) }
    }
    uses += 1
    entries[key] = Entry(value: value, size: new, lastUse: uses)
    size += new
  }

  private mutating func remove(_ key: Key) {
    guard let old = entries.removeValue(forKey: key) else { return }
    size -= old.size
  }
}
