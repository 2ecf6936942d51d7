import Tensors

extension OperatorFamily {
  /// Matrix products: the sizes of the linear layers and convolutions of the models.
  static var products: OperatorFamily {
    let (m, n, k) = (37, 29, 45)
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "matrix product", operators: ["matrixProduct"], shapes: [[m, k], [k, n]],
        activations: 2, device: { try $0[0].matrixProduct($0[1]) },
        host: { HostReference.product($0[0], $0[1], m, k, n) }),
      OperatorCheck(
        name: "matrix product, transposed", operators: ["matrixProduct"],
        shapes: [[k, m], [n, k]],
        activations: 2,
        device: { try $0[0].matrixProduct($0[1], transposeLeft: true, transposeRight: true) },
        host: {
          HostReference.product(
            HostReference.transposed($0[0], k, m), HostReference.transposed($0[1], n, k), m, k, n)
        }),
      OperatorCheck(
        name: "linear", operators: ["linear"], shapes: [[m, k], [n, k], [n]],
        activations: 1, device: { try $0[0].linear(weight: $0[1], bias: $0[2]) },
        host: { x in
          HostReference.product(x[0], HostReference.transposed(x[1], n, k), m, k, n).enumerated()
            .map {
              $1 + x[2][$0 % n]
            }
        }),
    ]
    let products: [(name: String, rows: Int, columns: Int, depth: Int, transposed: Bool)] = [
      ("", 1024, 1024, 1024, false),
      ("", 2048, 2048, 2048, false),
      ("conv_", 256, 16800, 2304, false),
      ("conv_", 512, 3350, 512, false),
      ("box_fc6_", 512, 1024, 12544, true),
      ("box_fc7_", 512, 1024, 1024, true),
      ("vision_qkv_", 1600, 2304, 768, true),
      ("vision_mlp1_", 1600, 3072, 768, true),
      ("vision_mlp2_", 1600, 768, 3072, true),
      ("text_qkv_", 1232, 1536, 512, true),
      ("text_mlp1_", 1232, 2048, 512, true),
      ("text_mlp2_", 1232, 512, 2048, true),
    ]
    let batches = [(16, 77, 2048, 512), (32, 50, 3072, 768), (128, 77, 77, 64), (384, 50, 50, 64)]
    let cases =
      products.map {
        product(
          "gemm/\($0.name)\($0.rows)x\($0.columns)x\($0.depth)", batch: nil, $0.rows, $0.columns,
          $0.depth, transposed: $0.transposed)
      }
      // What tensor cores reach at most.
      + [4096, 8192].map {
        product("ours/gemm_\($0)x\($0)x\($0)", batch: nil, $0, $0, $0, transposed: true)
      }
      + batches.map {
        product("bmm/\($0)x\($1)x\($2)x\($3)", batch: $0, $1, $2, $3, transposed: false)
      }
    return OperatorFamily(checks: checks + linearEndings(m, n, k), cases: cases)
  }

  /// A linear layer with what comes after it.
  private static func linearEndings(_ m: Int, _ n: Int, _ k: Int) -> [OperatorCheck] {
    func layer(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> [Double] {
      HostReference.product(x, HostReference.transposed(weight, n, k), m, k, n).enumerated().map {
        $1 + bias[$0 % n]
      }
    }
    func activated(
      _ name: String, _ activation: Activation, _ host: @escaping (Double) -> Double
    ) -> OperatorCheck {
      OperatorCheck(
        name: "linear, then \(name)", operators: ["linear"], shapes: [[m, k], [n, k], [n]],
        activations: 1,
        device: { try $0[0].linear(weight: $0[1], bias: $0[2], then: .activated(activation)) },
        host: { layer($0[0], $0[1], $0[2]).map(host) })
    }
    return [
      OperatorCheck(
        name: "linear, then a residual", operators: ["linear"],
        shapes: [[m, k], [m, n], [n, k], [n]], activations: 2,
        device: { try $0[0].linear(weight: $0[2], bias: $0[3], then: .addedTo($0[1])) },
        host: { x in zip(layer(x[0], x[2], x[3]), x[1]).map { $0 + $1 } }),
      activated("QuickGELU", .quickGELU) { $0 * HostReference.sigmoid(1.702 * $0) },
      activated("GELU", .gelu, HostReference.gelu),
    ]
  }

  private static func product(
    _ name: String, batch: Int?, _ rows: Int, _ columns: Int, _ depth: Int, transposed: Bool
  ) -> BenchCase {
    let count = Double(batch ?? 1)
    let elements = rows * depth + depth * columns + rows * columns
    return BenchCase(
      name: name, gflop: 2e-9 * count * Double(rows) * Double(columns) * Double(depth),
      bytes: 4 * count * Double(elements),
      shape: (batch.map { [("batch", [$0])] } ?? [])
        + [("M", [rows]), ("N", [columns]), ("K", [depth])],
      ofActivations: true, isLarge: rows * columns >= 1 << 24
    ) { stream in
      var values = BenchValues()
      let leading = batch.map { [$0] } ?? []
      let left = try values.activation(leading + [rows, depth], on: stream)
      let right = try values.activation(
        leading + (transposed ? [columns, depth] : [depth, columns]), on: stream)
      return { _ = try left.matrixProduct(right, transposeRight: transposed) }
    }
  }
}
