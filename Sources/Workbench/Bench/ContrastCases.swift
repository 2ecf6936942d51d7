import Tensors

extension BenchCase {
  /// Similarities and the losses on them.
  static var contrastCases: [BenchCase] {
    [
      cosine("cosine/512x80", keys: 80, loss: false),
      cosine("cosine/512x1536", keys: 1536, loss: false),
      cosine("infonce/512x81", keys: 81, loss: true),
      cosine("infonce/512x1536", keys: 1536, loss: true),
      elementwise("cross_entropy/1024x1204", [1024, 1204], passes: 2) { x, values in
        let labels = try Tensor(
          values.integers(1024, below: 1204), shape: [1024], on: x.stream)
        let logits = x.trained("logits")
        return forwardAndBackward([logits]) {
          try logits.softmaxCrossEntropy(labels: labels, divisor: 1024)
        }
      },
    ]
  }

  private static func cosine(_ name: String, keys: Int, loss: Bool) -> BenchCase {
    let (queries, width) = (512, 512)
    let product = 2e-9 * Double(queries * keys * width)
    return BenchCase(
      name: name, gflop: (loss ? 2 : 1) * product,
      bytes: 4 * Double(queries * width + keys * width + queries * keys),
      shape: [("queries", [queries, width]), ("keys", [keys, width])]
    ) { stream in
      var values = BenchValues()
      let left = try values.tensor([queries, width], on: stream)
      let right = try values.tensor([keys, width], on: stream)
      guard loss else { return { _ = try left.cosineSimilarity(right, temperature: 1) } }
      let labels = try Tensor(
        values.integers(queries, below: keys), shape: [queries], on: stream)
      let leaf = left.trained("queries")
      return forwardAndBackward([leaf]) {
        try leaf.cosineSimilarity(right, temperature: 20)
          .softmaxCrossEntropy(labels: labels, divisor: Float(queries))
      }
    }
  }
}
