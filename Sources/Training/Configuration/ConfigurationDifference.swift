import Settings

extension RunConfiguration {
  /// The keys whose values are others than those of another configuration.
  ///
  /// - Parameter other: The other one.
  /// - Returns: Keys with both values, `optimizer.rate (0.02, there 0.01)`, in the order of the file.
  package func differences(from other: RunConfiguration) -> [String] {
    let there = Dictionary(Self.keys(of: other.yaml())) { $1 }
    return Self.keys(of: yaml()).compactMap { key, value in
      let old = there[key] ?? "nothing"
      return value == old ? nil : "\(key) (\(value), there \(old))"
    }
  }

  /// The dotted keys and values of a configuration that was written out.
  private static func keys(of yaml: String) -> [(String, String)] {
    var path: [Substring] = []
    return yaml.split(separator: "\n").compactMap { line in
      let content = line.drop { $0 == " " }
      let name = content.prefix { $0 != ":" }
      let value = content.dropFirst(name.count + 1).drop { $0 == " " }
      path.removeLast(max(0, path.count - (line.count - content.count) / 2))
      path.append(name)
      return value.isEmpty ? nil : (path.joined(separator: "."), String(value))
    }
  }
}
