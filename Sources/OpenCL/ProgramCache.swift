import Formats
import Foundation

/// Compiled programs on disk, keyed by device, driver, compiler options and source.
///
/// Each entry carries the SHA-256 of its content; an entry that does not match is ignored and
/// written anew. A cache that cannot be written costs time, never a result.
package struct ProgramCache: Sendable {
  /// The folder that holds the entries.
  package let folder: String

  package init(folder: String) {
    self.folder = folder
  }

  /// The user's cache: `$BARON_CACHE`, else `baron` in `$XDG_CACHE_HOME` or `~/.cache`; nil when
  /// `BARON_CACHE` is `off`.
  package static var standard: ProgramCache? {
    UserCache.folder("programs").map { ProgramCache(folder: $0) }
  }

  func key(_ device: Device, source: String, options: String) -> String {
    // Drivers compile for the processor they run on, which some do not name: a home folder may serve
    // several machines.
    let host = device.kind == .gpu ? "" : Self.hostProcessor
    let parts = [
      device.platformName, device.name, device.version, device.driver, host, options, source,
    ]
    var digest = SHA256()
    digest.update(parts.joined(separator: "\u{0}"))
    return digest.hexadecimal()
  }

  /// Model and instruction sets of this machine's first processor, or nothing where Linux's file lacks.
  private static let hostProcessor: String = {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let wanted = ["model name", "flags", "Features", "CPU part"]
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
    return lines.filter { line in wanted.contains { line.hasPrefix($0) } }.joined(separator: "\n")
  }()

  /// The hash of an entry's content, as 64 characters.
  private static func digest(of binary: Data) -> Data {
    var digest = SHA256()
    binary.withUnsafeBytes { digest.update($0) }
    return Data(digest.hexadecimal().utf8)
  }

  private func path(_ key: String) -> String { "\(folder)/\(key).bin" }

  func contains(_ key: String) -> Bool { FileManager.default.fileExists(atPath: path(key)) }

  func load(_ key: String) -> Data? {
    guard let entry = try? RegularFile.contents(path(key)), entry.count > 64 else {
      return nil
    }
    let binary = entry.dropFirst(64)
    guard Self.digest(of: Data(binary)) == entry.prefix(64) else { return nil }
    return Data(binary)
  }

  func store(_ binary: Data, _ key: String) {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let entry = Self.digest(of: binary) + binary
    try? AtomicFile.write(entry, to: path(key))
  }
}

extension Context {
  /// What was kept of something that was found out about a program on this device.
  ///
  /// - Parameters:
  ///   - name: What was found out.
  ///   - source: The program's source.
  /// - Returns: nil when nothing was kept for this driver.
  package func verdict(on name: String, source: String) -> String? {
    guard let cache else { return nil }
    return cache.load(cache.key(device, source: source, options: name)).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// Keeps what was found out, for ``verdict(on:source:)``.
  ///
  /// - Parameters:
  ///   - words: What is kept.
  ///   - name: What was found out.
  ///   - source: The program's source.
  package func keep(_ words: String, on name: String, source: String) {
    guard let cache else { return }
    cache.store(Data(words.utf8), cache.key(device, source: source, options: name))
  }
}
