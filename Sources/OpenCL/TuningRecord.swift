import Formats

/// What a search for faster kernel parameters found on one device.
///
/// A subject is what parameters are chosen for: a class of sizes of a kernel, by name. The record
/// knows names and numbers only; what they mean is the business of who searches and who looks up.
package struct TuningRecord: Sendable, Equatable {
  /// Compile-time and launch parameters by name.
  package typealias Parameters = [String: Int]

  /// What the numbers are true for; with any other key a record says nothing.
  package struct Key: Sendable, Equatable {
    /// The device's name.
    package let device: String
    /// Its platform's name.
    package let platform: String
    /// The driver's version.
    package let driver: String
    /// Which kernels the device gets.
    package let family: DeviceFamily
    /// Hash of the kernels' source.
    package let source: String

    package init(
      device: String, platform: String, driver: String, family: DeviceFamily, source: String
    ) {
      self.device = device
      self.platform = platform
      self.driver = driver
      self.family = family
      self.source = source
    }
  }

  /// One set of parameters that was tried.
  package struct Attempt: Sendable, Equatable {
    /// The parameters.
    package var parameters: Parameters
    /// Median seconds of a call; nil when none was timed.
    package var seconds: Double?
    /// The largest error of the sampled elements beside the sum of absolute products.
    package var error: Double?
    /// Speed times accuracy, 1 for the shipped parameters; nil when rejected.
    package var score: Double?
    /// Why it was rejected, in one line.
    package var rejection: String?
  }

  /// What is known of one subject.
  package struct Entry: Sendable, Equatable {
    /// Calls in one step.
    package var calls = 0
    /// Seconds of those calls when they were recorded.
    package var seconds = 0.0
    /// The parameters that won; nil when the shipped ones did.
    package var parameters: Parameters?
    /// How much faster the winner is than the shipped parameters, times its accuracy.
    package var score = 1.0
    /// Whether the parameters may be used: a comparison of whole steps was won.
    package var isAccepted = false
    /// All that was tried, the shipped parameters first.
    package var attempts: [Attempt] = []

    /// An entry of which nothing is known.
    package init() {}
  }

  /// Whole training steps with the shipped parameters and with those found.
  package struct Comparison: Sendable, Equatable {
    /// Median seconds of a step with the shipped parameters.
    package var shipped: Double
    /// Median seconds of a step with the parameters that were found.
    package var tuned: Double
    /// The larger spread of the rounds of each kind: half the distance of their quartiles.
    package var noise: Double
    /// Rounds of steps of each kind.
    package var rounds: Int

    /// Puts a comparison together.
    ///
    /// - Parameters:
    ///   - shipped: Mean seconds of a step in each round with the shipped parameters.
    ///   - tuned: The same with the parameters that were found.
    package init(shipped: [Double], tuned: [Double]) {
      func median(_ seconds: [Double]) -> Double {
        seconds.isEmpty ? 0 : seconds.sorted()[seconds.count / 2]
      }
      func spread(_ seconds: [Double]) -> Double {
        let sorted = seconds.sorted()
        return sorted.isEmpty ? 0 : (sorted[3 * sorted.count / 4] - sorted[sorted.count / 4]) / 2
      }
      self.shipped = median(shipped)
      self.tuned = median(tuned)
      noise = max(spread(shipped), spread(tuned))
      rounds = min(shipped.count, tuned.count)
    }

    /// The share of a step that must be gained at least.
    package static let leastGain = 0.01

    /// Whether the gain is larger than 1 % and than the noise.
    package var isWon: Bool {
      shipped - tuned > max(Self.leastGain * shipped, noise) && tuned > 0
    }
  }

  /// The version of the file's format.
  package static let format = 1

  /// What it is true for.
  package let key: Key
  /// Entries by subject.
  package var entries: [String: Entry] = [:]
  /// The subjects that were chosen by configuration, so that a later call chooses the same.
  package var searches: [String: [String]] = [:]
  /// Comparisons of whole steps by configuration.
  package var comparisons: [String: Comparison] = [:]

  package init(key: Key) { self.key = key }

  /// The parameters that may be used; nil when there are none.
  package var table: TuningTable? {
    let accepted = entries.compactMapValues { $0.isAccepted ? $0.parameters : nil }
    return accepted.isEmpty ? nil : TuningTable(accepted)
  }

  /// Accepts or withdraws what was found for some subjects.
  ///
  /// - Parameters:
  ///   - subjects: Their names.
  ///   - isAccepted: Whether the parameters may be used.
  package mutating func decide(_ subjects: some Sequence<String>, isAccepted: Bool) {
    for subject in subjects { entries[subject]?.isAccepted = isAccepted }
  }
}

/// Parameters that kernels use instead of the shipped ones.
package struct TuningTable: Sendable, Equatable {
  /// Parameters by subject.
  package let parameters: [String: TuningRecord.Parameters]
  /// Twelve digits that name the content: results depend on it in their last bits.
  package let digest: String

  /// Makes a table.
  ///
  /// - Parameter parameters: Parameters by subject.
  package init(_ parameters: [String: TuningRecord.Parameters]) {
    self.parameters = parameters
    var hash = SHA256()
    for (subject, values) in parameters.sorted(by: { $0.key < $1.key }) {
      let list = values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      hash.update("\(subject): \(list.joined(separator: " "))\n")
    }
    digest = String(hash.hexadecimal().prefix(12))
  }

  /// The digest and the size in words.
  package var summary: String { "table \(digest), \(parameters.count, "class") of products" }
}
