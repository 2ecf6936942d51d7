import CProcessor
import Foundation

/// The cores of the machine that this process runs on; no result depends on how many there are.
package enum Cores {
  /// How many this process may use, as a launcher, a batch system or `taskset` has bound it.
  package static var usable: Int {
    let bound = Int(processor_usable_cores())
    return bound > 0 ? bound : max(1, ProcessInfo.processInfo.activeProcessorCount)
  }

  /// How many there are.
  package static var all: Int { max(usable, ProcessInfo.processInfo.processorCount) }
}
