import Testing

@testable import Formats

@Suite struct MachineTests {
  @Test(
    "A name as part of a file's name",
    arguments: [
      ("node7", "node7"), ("node7.cluster.example", "node7"), ("rack1-11", "rack1_11"),
      ("rack11-1", "rack11_1"), ("", ""), (".local", ""), ("a/b\u{e9}\n", "a_b__"),
      ("a-very-long-name-of-a-machine-0001", "g_name_of_a_machine_0001"),
    ])
  func namePart(name: String, part: String) { #expect(Machine.namePart(of: name) == part) }

  @Test func thisMachine() {
    #expect(!Machine.name.isEmpty && Machine.namePart == Machine.namePart(of: Machine.name))
  }
}
