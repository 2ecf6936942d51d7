import Annotations
import Formats
import Foundation
import Pictures

/// Looks whether the pictures of a data set are there and whole.
///
/// Whether each is there is always looked at. As far as time allows, the header of each must tell the
/// recorded size and its file must end as its format does; those that look odd, and a sample of the
/// others, are decoded.
struct PictureCheck {
  /// The key of the folder.
  let key: String
  let folder: String
  /// The annotation file, in words.
  let source: String
  let records: [COCOAnnotations.ImageRecord]

  /// Pictures that are told one by one.
  private static let mostNames = 3
  /// Pictures that are decoded, spread over the set.
  private static let sample = 8
  private static let piece = 64

  /// Looks at the pictures.
  ///
  /// - Parameter deadline: When to stop opening files, in seconds of `MonotonicClock`.
  /// - Returns: What was found, and how many pictures were opened.
  func run(until deadline: Double) -> (findings: [Finding], opened: Int) {
    guard !records.isEmpty else { return ([], 0) }
    var isFolder: ObjCBool = false
    let needsFolder = records.contains { !$0.fileName.hasPrefix("/") }
    guard
      !needsFolder
        || FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
          && isFolder.boolValue
    else {
      return (
        [
          Finding(
            .error, key,
            "\(folder): no such folder; give the folder that the file names of \(source) start from"
          )
        ], 0
      )
    }
    let missing = missing()
    if let finding = missing.finding { return ([finding], 0) }
    let odd = opened(leavingOut: missing.places, until: deadline)
    return (missing.warning + odd.findings, odd.opened)
  }

  // MARK: Whether they are there

  private struct Missing {
    var places: Set<Int> = []
    /// Where nothing is there.
    var finding: Finding?
    var warning: [Finding] = []
  }

  private func missing() -> Missing {
    var result = Missing()
    let absent = Parallel.map(count: records.count, chunk: 256) { number in
      guard let path = try? records[number].path(in: folder) else { return true }
      return access(path, R_OK) != 0
    }
    result.places = Set(absent.indices.filter { absent[$0] })
    guard let first = result.places.min() else { return result }
    let reason: String
    do {
      _ = try records[first].picture(in: folder)
      reason = ""
    } catch { reason = "\(error)" }
    if result.places.count == records.count {
      result.finding = Finding(
        .error, key,
        "\(folder): none of the \(records.count, "picture") of \(source) is there; set \(key) to "
          + "their folder (\(reason))")
      return result
    }
    let names = result.places.sorted().prefix(Self.mostNames).map {
      records[$0].fileName.isEmpty ? "image \(records[$0].id)" : records[$0].fileName
    }
    result.warning = [
      Finding(
        .warning, key,
        "\(folder): \(result.places.count) of the \(records.count, "picture") of \(source) are "
          + "missing or may not be read: \(names.joined(separator: ", "))"
          + (result.places.count > Self.mostNames ? ", …" : "")
          + "; add them or take them out of the file (\(reason))")
    ]
    return result
  }

  // MARK: Whether they are whole

  private func opened(
    leavingOut missing: Set<Int>, until deadline: Double
  ) -> (findings: [Finding], opened: Int) {
    let present = records.indices.filter { !missing.contains($0) }
    // Neighbours are often of one kind: the first ones looked at are spread over the whole set.
    let step = max(1, present.count / Self.sample)
    let decoded = Set(stride(from: 0, to: present.count, by: step).map { present[$0] })
      .union(present.last.map { [$0] } ?? [])
    let order = decoded.sorted() + present.filter { !decoded.contains($0) }
    var faults: [String] = []
    var count = 0
    while count < order.count, count == 0 || MonotonicClock.seconds < deadline {
      let part = Array(order[count..<min(order.count, count + Self.piece)])
      faults += Parallel.map(count: part.count, chunk: 4) { place in
        fault(of: part[place], decoding: decoded.contains(part[place]))
      }.compactMap { $0 }
      count += part.count
    }
    guard !faults.isEmpty else { return ([], count) }
    if faults.count == records.count - missing.count, count == present.count {
      return (
        [
          Finding(
            .error, key,
            "\(folder): none of the \(count, "picture") of \(source) can be used (\(faults[0]))")
        ], count
      )
    }
    var findings = faults.prefix(Self.mostNames).map {
      Finding(.warning, key, "\($0); it is left out")
    }
    if faults.count > Self.mostNames {
      findings.append(
        Finding(
          .warning, key,
          "\(folder): \(faults.count - Self.mostNames) more of the \(count, "picture") looked at "
            + "cannot be used; repair them or take them out of \(source)"))
    }
    return (findings, count)
  }

  /// What is wrong with a picture, or nil.
  private func fault(of number: Int, decoding: Bool) -> String? {
    let record = records[number]
    do {
      let path = try record.path(in: folder)
      let header = try PictureHeader(path: path)
      let isOfSize =
        record.width == 0 || record.height == 0
        || (header.width, header.height) == (record.width, record.height)
      guard decoding || !isOfSize || !Self.endsWell(path) else { return nil }
      _ = try record.picture(in: folder)
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Whether a file ends as a whole JPEG or PNG file does; some programs write more behind it, so that
  /// this is a reason to look closer and no fault.
  private static func endsWell(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    guard let size = try? file.seekToEnd(), size > 12,
      (try? file.seek(toOffset: size - 12)) != nil, let tail = try? file.read(upToCount: 12)
    else { return false }
    return tail.suffix(2) == Foundation.Data([0xFF, 0xD9])
      || tail.suffix(8).prefix(4) == Foundation.Data("IEND".utf8)
  }
}
