import BaronKit

/// Prints what a detector finds: `Find RUN "NAME, NAME" PICTURE…`.
@main
struct Find {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count > 2, let run = arguments.first else {
      print("usage: Find RUN \"NAME, NAME\" PICTURE...")
      return
    }
    let names = arguments[2].split(separator: ",").map { $0.trimmingPrefix(" ") }
    let detector = try Detector(run, vocabulary: Vocabulary(names.map(String.init)))
    for path in arguments.dropFirst(2) {
      do {
        let picture = try Picture(contentsOf: path)
        for found in try detector.detect(picture, from: 0.01, limit: 5) {
          print("\(path): \(found.name) \(found.score) at \(found.box.x1), \(found.box.y1)")
        }
      } catch {
        print(error)
      }
    }
  }
}
