import OpenCL
import Tensors

extension OperatorFamily {
  /// What the device reaches at most.
  static var roof: OperatorFamily {
    OperatorFamily(
      checks: [],
      cases: [
        BenchCase(
          name: "roof/multiply_add", gflop: 1e-9 * Roof.operations(rounds: Roof.rounds), bytes: nil,
          shape: [("chains", [Roof.chains]), ("rounds", [Roof.rounds])]
        ) { stream in { _ = try Roof.multiplyAdds(rounds: Roof.rounds, on: stream) } },
        BenchCase.elementwise("roof/copy_64MiB", [1 << 24], passes: 2) { x, _ in
          { _ = try Roof.copy(x) }
        },
      ])
  }
}
