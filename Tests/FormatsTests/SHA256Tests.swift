import Formats
import Foundation
import TestSupport
import Testing

@Suite("SHA-256")
struct SHA256Tests {
  /// Examples of FIPS 180-4 and the digests of texts around the block's edge by another program.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "b", count: 55),
      "eb2c86e932179f4ba13fe8715a26124b77d6bad290b9b4c1cc140cf633300c19"
    ),
    (
      String(repeating: "b", count: 56),
      "a5fc6e203a4c2b657d0d153885932414b2ffc6a93f0f8bf8b3183315e5a7212c"
    ),
    (
      String(repeating: "b", count: 63),
      "94e419fabac7f930810f9636354042f8c1426d2f834d4ab65c93dc1e69326b13"
    ),
    (
      String(repeating: "b", count: 64),
      "a0fab1377f49a759b57f63318262ebe89fabfc990e8e93ceac2984561482b9d4"
    ),
    (
      String(repeating: "b", count: 65),
      "74b128f30cf83de43ddf4aafc40c7b50a7443d3c73a89a7cfca17e15e43d51ab"
    ),
    (
      String(repeating: "b", count: 119),
      "68297a9eb141ce16bbc0847da1c0c48e2858704feaa13993bde29f87a198a6e1"
    ),
    (
      String(repeating: "b", count: 120),
      "392add47fbaa8197a874ebe770a947a26dd6f2becce5f64688cc4d18c9da93bd"
    ),
    (
      String(repeating: "b", count: 200),
      "aaebc35c4c4e2cc7ac7c65812a7fa476d807b9f3fc60d478dfe098ceeb122321"
    ),
  ])
  func digestsAgree(text: String, digest: String) {
    var whole = SHA256()
    whole.update(text)
    #expect(whole.hexadecimal() == digest)
    var pieces = SHA256()
    for character in text { pieces.update(String(character)) }
    #expect(pieces.hexadecimal() == digest)
    #expect(pieces.bytes().count == 32)
  }

  @Test func aFileHasTheDigestOfItsBytes() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("abc", "file")
    #expect(try SHA256.hexadecimal(ofFile: path).hasPrefix("ba7816bf"))
    #expect(throws: FormatError.self) { try SHA256.hexadecimal(ofFile: path + ".missing") }
  }
}
