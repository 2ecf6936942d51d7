import Formats
import Foundation
import Pictures

/// The picture of a record: where it lies, and whether it is the one that the boxes were drawn on.
extension COCOAnnotations.ImageRecord {
  /// Where the picture lies.
  ///
  /// An absolute name stands for itself. A backslash divides folders as on Windows, unless a file is
  /// really called so.
  ///
  /// - Parameter folder: The folder that names are relative to.
  /// - Throws: `PictureError` when the record has no name.
  package func path(in folder: String) throws -> String {
    guard !fileName.isEmpty else {
      throw PictureError(
        path: folder,
        reason: "image \(id) has no \"file_name\" and no \"coco_url\" to take it from",
        cause: .nameless)
    }
    let path = fileName.hasPrefix("/") ? fileName : "\(folder)/\(fileName)"
    guard path.contains("\\"), !FileManager.default.fileExists(atPath: path) else { return path }
    return path.replacing("\\", with: "/")
  }

  /// Decodes the picture.
  ///
  /// - Parameter folder: The folder that names are relative to.
  /// - Returns: The picture, turned as its EXIF orientation says.
  /// - Throws: `PictureError` when it cannot be decoded or is not of the record's size.
  package func picture(in folder: String) throws -> Image {
    let path = try path(in: folder)
    return try checked(Result { try ImageDecoder.decode(path: path) }, in: folder)
  }

  /// Checks what came of decoding the picture.
  ///
  /// - Parameters:
  ///   - decoded: The picture or the error.
  ///   - folder: The folder that names are relative to.
  /// - Throws: `PictureError` for a record without a name, an error with where the file is instead, or
  ///   a picture that is not of the record's size.
  package func checked(_ decoded: Result<Image, any Error>, in folder: String) throws -> Image {
    let path = try path(in: folder)
    let image: Image
    do {
      image = try decoded.get()
    } catch let error as PictureError where error.cause == .missing {
      throw PictureError(path: path, reason: error.reason + nearby(folder), cause: .missing)
    }
    guard width > 0, height > 0, (image.width, image.height) != (width, height) else {
      return image
    }
    throw PictureError(
      path: path,
      reason: "is \(image.width)x\(image.height) pixels, but its record (id \(id)) says "
        + "\(width)x\(height), so its boxes cannot be trusted" + explanation(of: image, path),
      cause: .otherSize)
  }

  /// What a wrong size usually comes from.
  private func explanation(of image: Image, _ path: String) -> String {
    guard (image.height, image.width) == (width, height) else { return "" }
    guard let header = try? PictureHeader(path: path), header.orientation.swapsSides else {
      return "; swap \"width\" and \"height\""
    }
    return
      "; it is stored lying and turned by its EXIF orientation \(header.orientation.rawValue): "
      + "if the boxes are those of the stored picture, write it again without the orientation"
  }

  /// Where the file is instead, when a folder stands twice or is not there.
  private func nearby(_ folder: String) -> String {
    let url = URL(filePath: folder).standardizedFileURL
    let parent = url.deletingLastPathComponent().path
    let name = fileName.replacing("\\", with: "/")
    let parts = name.split(separator: "/")
    let last = parts.last.map(String.init) ?? name
    let repeats = parts.count > 1 && parts.first.map(String.init) == url.lastPathComponent
    let candidates = [
      (
        "\(parent)/\(name)",
        repeats ? "the name repeats the folder" : "the name starts in the folder above"
      ),
      ("\(folder)/\(last)", "the name has a folder of its own"),
    ]
    let found = candidates.first { FileManager.default.fileExists(atPath: $0.0) }
    return found.map { "; \($0.1), \($0.0) is there" } ?? spelledOtherwise("\(folder)/\(name)")
  }

  /// Endings that pictures are renamed to and from.
  private static let endings = ["jpg", "jpeg", "JPG", "JPEG", "png", "PNG", "webp", "bmp"]

  /// The file that differs in its ending, or in capitals only.
  private func spelledOtherwise(_ path: String) -> String {
    let url = URL(filePath: path)
    let stem = url.deletingPathExtension()
    let others = Self.endings.flatMap { ending in
      [stem, url].map { $0.appendingPathExtension(ending).path }
    }
    if let other = others.first(where: { FileManager.default.fileExists(atPath: $0) }) {
      return "; the name has another ending, \(other) is there"
    }
    let folder = url.deletingLastPathComponent()
    let last = url.lastPathComponent
    let small = [
      last.lowercased(), last.uppercased(), stem.lastPathComponent.lowercased() + ".jpg",
    ]
    .map { folder.appending(component: $0).path }
    return small.first { FileManager.default.fileExists(atPath: $0) }
      .map { "; capitals differ, \($0) is there" } ?? ""
  }
}

extension AnnotationIndex {
  /// Takes sizes that the file does not give from the pictures.
  ///
  /// - Parameter folder: The folder that names are relative to.
  /// - Returns: What was done, one line each; an image whose picture cannot be read stays without.
  package mutating func completeSizes(from folder: String) -> [String] {
    var read = 0
    var failed = 0
    var first: (any Error)?
    for number in images.ids.indices
    where images.widths[number] == 0 || images.heights[number] == 0 {
      do {
        let header = try PictureHeader(path: try image(at: number).path(in: folder))
        images.widths[number] = Int32(clamping: header.width)
        images.heights[number] = Int32(clamping: header.height)
        read += 1
      } catch {
        failed += 1
        first = first ?? error
      }
    }
    var lines: [String] = []
    let what = "without \"width\" and \"height\""
    if read > 0 { lines.append("\(read, "image") \(what): read from the pictures") }
    if let first {
      lines.append(
        "\(failed, "image") \(what) \(failed.verb("is", "are")) left out (first: \(first))")
    }
    return lines
  }

  /// The folder that names are relative to, where somebody named the folder that they begin with.
  ///
  /// - Parameter folder: The folder that was named.
  /// - Returns: The folder above it when the first picture is there and not in the given one, else that.
  package func pictureFolder(given folder: String) -> String {
    func isThere(_ folder: String) -> Bool {
      (try? image(at: 0).path(in: folder)).map(FileManager.default.fileExists) ?? false
    }
    guard imageCount > 0, !isThere(folder), !folder.hasSuffix(".") else { return folder }
    let above = (folder as NSString).deletingLastPathComponent
    let parent = above.isEmpty ? "." : above
    return isThere(parent) ? parent : folder
  }
}
