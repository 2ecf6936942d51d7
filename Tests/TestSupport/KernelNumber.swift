import KernelLibrary

/// The number that a kernel file gives a name by `#define`, to compare it with the host's.
///
/// - Parameters:
///   - name: The name.
///   - path: The file below `Kernels/`; what it includes counts too, the last definition most.
/// - Returns: The number; nil when the file has none.
/// - Throws: `KernelSource.Missing`.
package func kernelNumber(_ name: String, in path: String) throws -> Int? {
  let lines = try KernelSource.assembled(path).split(separator: "\n")
  func value(of name: Substring) -> Int? {
    if let number = Int(name) { return number }
    guard let line = lines.last(where: { $0.hasPrefix("#define \(name) ") }) else { return nil }
    let words = line.dropFirst("#define \(name) ".count).split { " ()".contains($0) }
    guard words.count == 3, let left = value(of: words[0]), let right = value(of: words[2]) else {
      return words.count == 1 ? value(of: words[0]) : nil
    }
    return words[1] == "<<" ? left << right : words[1] == "*" ? left * right : nil
  }
  return value(of: Substring(name))
}
