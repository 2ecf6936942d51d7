import Foundation
import TestSupport

/// A format that the program reads: sound files of it, and what reads them.
struct InputFormat: Sendable, CustomStringConvertible {
  /// What reports call it.
  let name: String
  /// The name that a file must have to be read as this format.
  let file: String
  let kind: Mutation.Kind
  /// Makes sound files; the folder may hold other files that they need.
  let seeds: @Sendable (Scratch) throws -> [[UInt8]]
  /// Puts a checksum right that would hide all other damage; the number is from 0 to 3.
  var mend: @Sendable ([UInt8]) -> [UInt8] = { $0 }
  /// Whether damage may well leave nothing that is accepted, as with checksums over everything.
  var mayRefuseAll = false
  /// Reads a file as the program does.
  let read: @Sendable (String) throws -> Void

  var description: String { name }

  /// Three files of four with their checksums right.
  func mended(_ bytes: [UInt8], _ chance: Int) -> [UInt8] { chance == 0 ? bytes : mend(bytes) }

  static let all = pictures + annotations + weights + runs + requests
}
