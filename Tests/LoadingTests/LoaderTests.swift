import Annotations
import Foundation
import Geometry
import Pictures
import Synchronization
import TestSupport
import Testing

@testable import Loading

@Suite struct LoaderTests {
  /// Twelve small pictures, every third portrait, each with one box and one crowd box.
  private static func stream(
    in folder: TemporaryFolder, name: ImageStream = .detection, batchSize: Int = 2
  ) throws -> LoaderStream {
    let images = try (0..<12).map { number -> COCOAnnotations.ImageRecord in
      let (width, height) = number % 3 == 0 ? (8, 12) : (12, 8)
      let fileName = "\(number).png"
      try Image(width: width, height: height, filledWith: Color(UInt8(number), 0, 0))
        .writePNG("\(folder.path)/\(fileName)")
      let box = Box(x1: 1, y1: 2, x2: 5, y2: 6)
      return COCOAnnotations.ImageRecord(
        id: 100 + number, fileName: fileName, width: width, height: height,
        objects: [.init(id: number, box: box, label: number % 5, area: 16)],
        crowds: [.init(id: 50 + number, box: box, label: 0, area: 16)])
    }
    return LoaderStream(
      name: name, folder: folder.path, images: images, indices: Array(0..<12),
      batchSize: batchSize,
      augmentation: Augmentation(longSide: 40, shortSides: [16, 24], flipProbability: 0.5))
  }

  /// What must not depend on threads, start or damage.
  private struct Summary: Equatable {
    let iteration: Int
    let ids: [ImageStream: [Int]]
    let views: [ImageStream: [ImageView]]

    init(_ batch: LoadedBatch) {
      iteration = batch.iteration
      ids = batch.streams.mapValues { $0.map(\.view.imageID) }
      views = batch.streams.mapValues { $0.map(\.view) }
    }
  }

  private static func summaries(
    _ streams: [LoaderStream], from start: Int = 0, count: Int, threads: Int,
    warnings: Warnings = Warnings()
  ) throws -> [Summary] {
    let loader = try Loader(
      streams: streams, seed: 11, startingAt: start, threads: threads, prefetch: 3,
      warn: { warnings.add($0) })
    defer { loader.stop() }
    return try (0..<count).map { _ in Summary(try loader.next()) }
  }

  @Test func aStreamWithoutAPictureSaysWhy() throws {
    let folder = try TemporaryFolder()
    let whole = try Self.stream(in: folder)
    for number in 0..<12 {
      let path = "\(folder.path)/\(number).png"
      if number < 7 {
        try FileManager.default.removeItem(atPath: path)
      } else if number < 9 {
        _ = try folder.file("\(number).png", "no picture")
      } else {
        try Image(width: 5, height: 5).writePNG(path)
      }
    }
    let stream = LoaderStream(
      name: .detection, folder: folder.path, folderKey: "data.train_images", images: whole.images,
      indices: whole.indices, batchSize: 2, augmentation: whole.augmentation)
    let loader = try Loader(streams: [stream], seed: 1, threads: 1) { _ in }
    defer { loader.stop() }
    let error = #expect(throws: StreamError.self) { try loader.next() }
    let line = try #require(error).description
    #expect(
      line.hasPrefix(
        "stream \"detection\": no usable image in \(folder.path) (data.train_images); of 12 tried 7 "
          + "missing, 3 of another size than the record says, 2 not readable; the first: "
          + "\(folder.path)/"), "\(line)")
  }

  /// Ids that are equal in 32 bits must not make one image of two.
  @Test func largeIdsStayApart() throws {
    let folder = try TemporaryFolder()
    let small = try Self.stream(in: folder)
    for shift in [0, 32, 60] {
      let images = small.images.map {
        COCOAnnotations.ImageRecord(
          id: ($0.id - 99) << shift, fileName: $0.fileName, width: $0.width, height: $0.height)
      }
      let stream = LoaderStream(
        name: .detection, folder: folder.path, images: images, indices: small.indices,
        batchSize: 12, augmentation: small.augmentation)
      let loader = try Loader(streams: [stream], seed: 1, threads: 1) { Issue.record("\($0)") }
      defer { loader.stop() }
      let samples = try loader.next().streams[.detection] ?? []
      let ids = samples.map { Int32(truncatingIfNeeded: $0.view.imageID) }
      let expected: Set<Int32> = shift == 0 ? Set(1...12) : Set(0..<12)
      #expect(Set(ids).isSubset(of: expected) && Set(ids).count >= 4, "\(ids)")
    }
  }

  @Test func orderDependsOnTheIterationAlone() throws {
    let folder = try TemporaryFolder()
    let streams = [
      try Self.stream(in: folder), try Self.stream(in: folder, name: .alignment, batchSize: 1),
    ]
    let one = try Self.summaries(streams, count: 40, threads: 1)
    #expect(one.map(\.iteration) == Array(0..<40))
    #expect(one == (try Self.summaries(streams, count: 40, threads: 3)))
    #expect(Array(one[25...]) == (try Self.summaries(streams, from: 25, count: 15, threads: 2)))
  }

  @Test func samplesCarryPictureAndBoxes() throws {
    let folder = try TemporaryFolder()
    let loader = try Loader(streams: [try Self.stream(in: folder)], seed: 4, warn: { _ in })
    for _ in 0..<10 {
      let batch = try loader.next()
      for sample in try #require(batch.streams[.detection]) {
        #expect(sample.view.imageID == 100 + sample.index)
        #expect(sample.image[0, 0] == Color(UInt8(sample.index), 0, 0))
        #expect(sample.labels == [sample.index % 5])
        let box = Box(x1: 1, y1: 2, x2: 5, y2: 6)
        #expect(sample.boxes == [sample.view.visible(box)])
        #expect(sample.view.originalWidth == sample.image.width)
      }
    }
    #expect(loader.waitSeconds >= 0 && loader.waitSeconds < 60)
  }

  @Test func unusableImagesAreReportedOnceAndReplaced() throws {
    let folder = try TemporaryFolder()
    let stream = try Self.stream(in: folder)
    _ = try folder.file("4.png", "not a picture")
    try FileManager.default.removeItem(atPath: "\(folder.path)/7.png")
    try Image(width: 8, height: 12).writePNG("\(folder.path)/8.png")

    let warnings = Warnings()
    let one = try Self.summaries([stream], count: 60, threads: 1, warnings: warnings)
    #expect(Set(one.flatMap(\.ids.values).joined()).isDisjoint(with: [104, 107, 108]))
    #expect(warnings.all.count == 3)
    #expect(warnings.all.contains { $0.contains("4.png: is neither JPEG nor PNG") })
    #expect(warnings.all.contains { $0.contains("7.png: no such file") })
    #expect(
      warnings.all.contains {
        $0.contains("8.png: is 8x12 pixels, but its record (id 108) says 12x8")
      })
    #expect(one == (try Self.summaries([stream], count: 60, threads: 3)))
    #expect(Array(one[30...]) == (try Self.summaries([stream], from: 30, count: 30, threads: 2)))
  }

  @Test func aWrongFolderEndsWithOneError() throws {
    let folder = try TemporaryFolder()
    let right = try Self.stream(in: folder)
    let wrong = LoaderStream(
      name: .alignment, folder: "/nowhere", images: right.images, indices: right.indices,
      batchSize: 1, augmentation: right.augmentation)
    let loader = try Loader(streams: [right, wrong], seed: 1, warn: { _ in })
    for _ in 0..<2 {
      let error = #expect(throws: StreamError.self) { try loader.next() }
      let line = try #require(error).description
      #expect(
        line.hasPrefix(
          "stream \"alignment\": no usable image in /nowhere; of 12 tried 12 missing; the first: "
            + "/nowhere/"), "\(line)")
    }
  }

  @Test func stoppingEndsTheWait() throws {
    let folder = try TemporaryFolder()
    let loader = try Loader(
      streams: [try Self.stream(in: folder)], seed: 1, threads: 3, warn: { _ in })
    _ = try loader.next()
    loader.stop()
    loader.stop()
    // Batches that were ready may still come; then the error.
    #expect(throws: StreamError.self) { for _ in 0..<10 { _ = try loader.next() } }
  }

  @Test func droppedLoadersLeaveNoThread() throws {
    let folder = try TemporaryFolder()
    let stream = try Self.stream(in: folder)
    var cores: [LoaderCore] = []
    for _ in 0..<20 {
      let loader = try Loader(streams: [stream], seed: 1, threads: 4, warn: { _ in })
      _ = try loader.next()
      #expect(loader.core.runningThreads == 4)
      cores.append(loader.core)
    }
    #expect(cores.allSatisfy { $0.runningThreads == 0 })
  }
}
