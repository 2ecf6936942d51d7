import ArgumentParser

/// How several processes share a machine.
struct RankOptions: ParsableArguments {
  @Flag(help: "Let processes of a machine share a GPU.")
  var shareDevice = false
}
