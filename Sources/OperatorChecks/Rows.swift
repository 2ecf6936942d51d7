import Tensors

extension OperatorFamily {
  /// Sums, and rows moved, chosen and put together.
  static var rows: OperatorFamily {
    let shape = [7, 43]
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "sum", operators: ["sum"], shapes: [shape], device: { try $0[0].sum() },
        host: { [$0[0].reduce(0, +)] }),
      OperatorCheck(
        name: "mean", operators: ["mean"], shapes: [shape], device: { try $0[0].mean() },
        host: { [$0[0].reduce(0, +) / Double($0[0].count)] }),
      OperatorCheck(
        name: "mean and column sums", operators: ["columnSums", "scaled"], shapes: [shape],
        activations: 1, device: { try $0[0].columnSums().reshaped([shape[1]]).scaled(by: 2) },
        host: { x in
          (0..<shape[1]).map { c in 2 * (0..<shape[0]).reduce(0) { $0 + x[0][$1 * shape[1] + c] } }
        }),
      OperatorCheck(
        name: "row gather and slice", operators: ["gatheredRows", "sliced"], shapes: [shape],
        activations: 1,
        device: { try $0[0].gatheredRows([3, 0, -1, 3, 6]).sliced(axis: 1, 5..<21) },
        host: { x in
          [3, 0, -1, 3, 6].flatMap { (row: Int) -> [Double] in
            (5..<21).map { row < 0 ? 0 : x[0][row * shape[1] + $0] }
          }
        }),
      OperatorCheck(
        name: "row gather by a tensor", operators: ["gatheredRows"], shapes: [shape],
        hasGradient: false, activations: 1,
        device: {
          try $0[0].gatheredRows(
            try Tensor([3, 0, -1, 7, 6] as [Int32], shape: [5], on: $0[0].stream))
        },
        host: { x in
          [3, 0, -1, 7, 6].flatMap { (row: Int) -> [Double] in
            (0..<shape[1]).map { (0..<7).contains(row) ? x[0][row * shape[1] + $0] : 0 }
          }
        }),
      OperatorCheck(
        name: "weighted row lists", operators: ["combinedRows"], shapes: [shape],
        activations: 1,
        device: {
          try $0[0].combinedRows(
            offsets: [0, 2, 2, 5], indices: [1, 4, 0, 4, 6], weights: [0.5, -1, 2, 1, 0.25])
        },
        host: { x in
          let lists: [[(Int, Double)]] = [[(1, 0.5), (4, -1)], [], [(0, 2), (4, 1), (6, 0.25)]]
          return lists.flatMap { list in
            (0..<shape[1]).map { c in
              list.reduce(0) { $0 + $1.1 * x[0][$1.0 * shape[1] + c] }
            }
          }
        }),
      OperatorCheck(
        name: "embedding", operators: ["embedding"], shapes: [shape],
        activations: 0, device: { try $0[0].embedding(indices: [2, 5, 2, 0], shape: [2, 2]) },
        host: { x in [2, 5, 2, 0].flatMap { x[0][$0 * shape[1]..<($0 + 1) * shape[1]] } }),
      OperatorCheck(
        name: "concatenation", operators: ["concatenated"], shapes: [shape, [7, 5]],
        activations: 2, device: { try Tensor.concatenated($0, axis: 1) },
        host: { x in
          (0..<shape[0]).flatMap { (row: Int) -> [Double] in
            let left = x[0][row * shape[1]..<(row + 1) * shape[1]]
            return Array(left) + Array(x[1][row * 5..<(row + 1) * 5])
          }
        }),
      OperatorCheck(
        name: "transposition", operators: ["transposed"], shapes: [shape], activations: 1,
        device: { try $0[0].transposed() },
        host: { HostReference.transposed($0[0], shape[0], shape[1]) }),
    ]
    let cases: [BenchCase] = [
      BenchCase.activations("ours/column_sums_54400x256", [54400, 256], passes: 1) { x, _ in
        { _ = try x.columnSums() }
      },
      BenchCase.activations("ours/gather_rows_1232x512", [1232, 512], passes: 2) { x, values in
        let rows = try Tensor(values.integers(1232, below: 1232), shape: [1232], on: x.stream)
        return { _ = try x.gatheredRows(rows) }
      },
      BenchCase.elementwise("ours/embedding_1232_of_49408x512", [49408, 512], passes: 0.05) {
        x, values in
        let tokens = values.integers(1232, below: 49408)
        return { _ = try x.embedding(indices: tokens, shape: [16, 77]) }
      },
      BenchCase.elementwise("rows/copy_64MiB", [1 << 24], passes: 2) { x, _ in
        { _ = try x.copied() }
      },
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }
}
