import Foundation

/// Writes a timeline in the Chrome trace format, which Perfetto and `chrome://tracing` open.
///
/// Events go to disk as they come. The text is a JSON array, and viewers accept one whose end is
/// missing, so that the file of a run that was killed is still of use.
package final class TraceFile {
  /// The file's path.
  package let path: String
  /// The number of events written so far, names included.
  package private(set) var count = 0
  private var descriptor: Int32
  private var buffer = ""
  private static let flushSize = 1 << 16

  /// Creates the file, replacing an old one.
  ///
  /// - Parameter path: The file's path; its folder must exist.
  /// - Throws: ``FormatError`` when the file cannot be made.
  package init(path: String) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FormatError(path, "cannot be written: \(String(cString: strerror(errno)))")
    }
  }

  deinit {
    if descriptor >= 0 { Foundation.close(descriptor) }
  }

  /// Names a process, a group of rows in the viewer.
  ///
  /// - Parameters:
  ///   - name: What the viewer shows.
  ///   - process: The process number that events use.
  /// - Throws: ``FormatError`` when the disk is full.
  package func nameProcess(_ name: String, process: Int) throws {
    try append([
      "ph": "M", "name": "process_name", "pid": .number(Double(process)),
      "args": ["name": .string(name)],
    ])
  }

  /// Names a thread, one row in the viewer.
  ///
  /// - Parameters:
  ///   - name: What the viewer shows.
  ///   - process: The process the thread belongs to.
  ///   - thread: The thread number that events use.
  /// - Throws: ``FormatError`` when the disk is full.
  package func nameThread(_ name: String, process: Int, thread: Int) throws {
    try append([
      "ph": "M", "name": "thread_name", "pid": .number(Double(process)),
      "tid": .number(Double(thread)), "args": ["name": .string(name)],
    ])
  }

  /// Writes one span of time; spans of a thread that lie inside others are shown below them.
  ///
  /// - Parameters:
  ///   - name: What the viewer shows.
  ///   - category: A word to filter by.
  ///   - process: The process number.
  ///   - thread: The thread number.
  ///   - start: The start in microseconds from any fixed moment.
  ///   - duration: The length in microseconds, not negative.
  ///   - arguments: Values shown when the span is selected.
  /// - Throws: ``FormatError`` for a time that is not finite or a negative length, or when the
  ///   disk is full.
  package func span(
    _ name: String, category: String, process: Int, thread: Int, start: Double, duration: Double,
    arguments: [String: JSONValue] = [:]
  ) throws {
    guard start.isFinite, duration.isFinite, duration >= 0 else {
      throw FormatError(
        path, place: "event \(count)",
        "the span \"\(name)\" starts at \(start) us and lasts \(duration) us; "
          + "check the clock it was measured with")
    }
    var event: [String: JSONValue] = [
      "ph": "X", "name": .string(name), "cat": .string(category),
      "pid": .number(Double(process)), "tid": .number(Double(thread)), "ts": .number(start),
      "dur": .number(duration),
    ]
    if !arguments.isEmpty { event["args"] = .object(arguments) }
    try append(event)
  }

  /// Ends the array and closes the file; nothing can be written afterwards.
  ///
  /// - Throws: ``FormatError`` when the disk is full.
  package func close() throws {
    guard descriptor >= 0 else { return }
    buffer += count == 0 ? "[]\n" : "\n]\n"
    defer {
      Foundation.close(descriptor)
      descriptor = -1
    }
    try flush()
  }

  private func append(_ event: [String: JSONValue]) throws {
    precondition(descriptor >= 0, "the trace file \(path) is already closed")
    buffer += count == 0 ? "[\n" : ",\n"
    JSONValue.object(event).write(to: &buffer)
    count += 1
    if buffer.utf8.count >= Self.flushSize { try flush() }
  }

  private func flush() throws {
    try Array(buffer.utf8).withUnsafeBytes {
      try AtomicFile.append($0, to: descriptor, path: path)
    }
    buffer.removeAll(keepingCapacity: true)
  }
}
