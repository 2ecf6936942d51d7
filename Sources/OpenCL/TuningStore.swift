import Formats
import Foundation

/// The tuning records on disk, one for each device and kernel family.
package struct TuningStore: Sendable {
  /// The folder that holds the records.
  package let folder: String

  package init(folder: String) { self.folder = folder }

  /// The user's store: `tuning` beside the programs of ``ProgramCache/standard``; nil when
  /// `BARON_CACHE` is `off`.
  package static var standard: TuningStore? {
    ProgramCache.standard.map {
      TuningStore(folder: URL(filePath: $0.folder).deletingLastPathComponent().path + "/tuning")
    }
  }

  /// Whether `BARON_TUNING` is `off`: kernels then have their shipped parameters.
  package static var isOff: Bool {
    ProcessInfo.processInfo.environment["BARON_TUNING"]?.lowercased() == "off"
  }

  /// Whether there are no records at all.
  package var isEmpty: Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty ?? true
  }

  /// Where a device's record lies: its name as far as a file may be called so, and a hash.
  ///
  /// Driver and source are not part of it, so that an old record is found, told and replaced.
  ///
  /// - Parameter key: The record's key.
  package func path(for key: TuningRecord.Key) -> String {
    var hash = SHA256()
    hash.update([key.platform, key.device, key.family.rawValue].joined(separator: "\u{0}"))
    let name = key.device.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return "\(folder)/\(String(name.prefix(40)))-\(hash.hexadecimal().prefix(8)).json"
  }

  /// A device's record.
  ///
  /// - Parameters:
  ///   - key: The record's key.
  ///   - warn: Gets one line when there is a record that cannot be used.
  /// - Returns: nil when there is none, or it is damaged, or it is true for another driver or other
  ///   kernels.
  package func load(_ key: TuningRecord.Key, warn: (String) -> Void) -> TuningRecord? {
    let path = path(for: key)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let remedy = "ignored; run 'baron tune CONFIG' again or delete it"
    do {
      let record = try TuningRecord(try JSONValue(contentsOf: path), source: path)
      guard record.key != key else { return record }
      warn("\(path): found with \(Self.difference(record.key, key)): \(remedy)")
    } catch {
      warn("\(error): \(remedy)")
    }
    return nil
  }

  private static func difference(_ old: TuningRecord.Key, _ new: TuningRecord.Key) -> String {
    if old.driver != new.driver { return "driver \(old.driver), not \(new.driver)" }
    if old.source != new.source { return "other kernels" }
    return "\(old.device) of \(old.platform)"
  }

  /// Writes a record; readers see the old one or the new one.
  ///
  /// - Parameter record: The record.
  /// - Throws: `FormatError` when the folder cannot be written.
  package func save(_ record: TuningRecord) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FormatError(
        folder, "the folder cannot be made; let BARON_CACHE name one that may be written")
    }
    try AtomicFile.write(Data(record.json.text(pretty: true).utf8), to: path(for: record.key))
  }
}
