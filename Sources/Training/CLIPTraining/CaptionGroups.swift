/// Numbers captions so that those of equal content get equal numbers.
///
/// In a small world many pairs of a batch show the same classes; as negatives of each other they
/// would teach the model to tell apart what is the same.
struct CaptionGroups {
  /// One number per caption.
  let numbers: [Int32]

  /// - Parameters:
  ///   - captions: The captions.
  ///   - commonShare: Words in more than this share of the captions are left out of the comparison.
  init(_ captions: [String], commonShare: Double) {
    let words = captions.map { caption in
      caption.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }
    var counts: [String: Int] = [:]
    for list in words {
      for word in Set(list) { counts[word, default: 0] += 1 }
    }
    let limit = commonShare * Double(captions.count)
    var known: [[String]: Int32] = [:]
    numbers = words.map { list in
      // In any order, but "a disk and a disk" is not "a disk".
      let key = list.filter { Double(counts[$0] ?? 0) <= limit }.sorted()
      let number = known[key] ?? Int32(known.count)
      known[key] = number
      return number
    }
  }
}
