import Foundation

/// The folder that detections go to.
struct OutputFolder {
  private static let usual = "runs/detect"

  let path: String
  private var used: Set<String> = []

  private init(path: String) { self.path = path }

  /// Chooses and makes the folder.
  ///
  /// - Parameters:
  ///   - wanted: The user's folder; nil takes the first of `runs/detect`, `runs/detect-2`, … that is
  ///     not there.
  ///   - inputs: The images that will be read, which nothing may replace.
  ///   - overwrite: Whether the folder may hold files.
  /// - Throws: `DetectError` when files are in the way or the folder cannot be made.
  static func make(_ wanted: String?, inputs: [String], overwrite: Bool) throws -> OutputFolder {
    let files = FileManager.default
    var path = wanted ?? usual
    if wanted == nil, !overwrite {
      var number = 1
      while files.fileExists(atPath: path) {
        number += 1
        path = "\(usual)-\(number)"
      }
    }
    let content = (try? files.contentsOfDirectory(atPath: path)) ?? []
    guard content.isEmpty || overwrite else { throw DetectError.occupied(folder: path) }
    let target = URL(filePath: path).resolvingSymlinksInPath().path
    for input in inputs {
      let place = URL(filePath: input).deletingLastPathComponent().resolvingSymlinksInPath().path
      guard place != target else { throw DetectError.overInput(path: input) }
    }
    guard
      (try? files.createDirectory(atPath: path, withIntermediateDirectories: true)) != nil
    else { throw DetectError.folder(path) }
    return OutputFolder(path: path)
  }

  /// Whether a folder holds the results of an earlier detection.
  ///
  /// - Parameter path: The folder.
  static func isOne(_ path: String) -> Bool {
    ["detections.json", "images.json"].allSatisfy {
      FileManager.default.fileExists(atPath: "\(path)/\($0)")
    }
  }

  /// Takes back a results file without results, and the folder when nothing else is in it.
  ///
  /// - Parameter name: The file.
  func discard(_ name: String) {
    try? FileManager.default.removeItem(atPath: "\(path)/\(name)")
    rmdir(path)
  }

  /// Does what comes before the first result; when it fails, an empty folder is taken back.
  func keeping<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      rmdir(path)
      throw error
    }
  }

  /// A name for the picture of an image, given to no other.
  ///
  /// - Parameter image: The image's path.
  /// - Returns: A path in the folder that ends in `.jpg` or `.png`.
  mutating func picture(of image: String) -> String {
    let file = URL(filePath: image)
    let stem = file.deletingPathExtension().lastPathComponent
    let suffix = ["jpg", "jpeg"].contains(file.pathExtension.lowercased()) ? "jpg" : "png"
    return "\(path)/\(unused(stem, suffix))"
  }

  /// A name for the picture of one object, given to no other: `crops/NAME/IMAGE.png`.
  ///
  /// - Parameters:
  ///   - image: The image's path.
  ///   - name: The object's class.
  /// - Returns: A path in the folder; the folder of the class is there.
  /// - Throws: `DetectError` when the folder cannot be made.
  mutating func crop(of image: String, name: String) throws -> String {
    // A class is called what the user wants, a folder is not.
    let place = "crops/" + name.replacing("/", with: "_").replacing(".", with: "_")
    guard
      (try? FileManager.default.createDirectory(
        atPath: "\(path)/\(place)", withIntermediateDirectories: true)) != nil
    else { throw DetectError.folder("\(path)/\(place)") }
    let stem = URL(filePath: image).deletingPathExtension().lastPathComponent
    return "\(path)/\(unused("\(place)/\(stem)", "png"))"
  }

  private mutating func unused(_ stem: String, _ suffix: String) -> String {
    var name = "\(stem).\(suffix)"
    var number = 1
    while !used.insert(name).inserted {
      number += 1
      name = "\(stem)-\(number).\(suffix)"
    }
    return name
  }
}
