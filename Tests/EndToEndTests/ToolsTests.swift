import Formats
import Foundation
import KernelLibrary
import OpenCL
import TestSupport
import Testing

/// The tools around training, as a user runs them.
@Suite(
  "Warming up and comparing profiles", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct ToolsTests {
  /// The first two numbers of `warmup`'s first line: programs and how many were compiled.
  private func counts(_ result: BaronProcess.Result) throws -> [Int] {
    #expect(result.status == 0, "\(result.errors)")
    let line = try #require(result.output.split(separator: "\n").first)
    return line.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
  }

  @Test(
    "what warmup compiled is all that training needs",
    arguments: ["coco-mini", "coco-mini-captions"])
  func warmup(preset: String) throws {
    let scratch = try Scratch()
    let cache = "\(scratch.folder)/cache"
    let environment = ["BARON_CACHE": cache]
    func programs() -> Set<String> {
      Set((try? FileManager.default.contentsOfDirectory(atPath: "\(cache)/programs")) ?? [])
    }
    let cold = try BaronProcess.run("warmup", preset, "--jobs", "2", environment: environment)
    let first = try counts(cold)
    #expect(first.count == 2 && first[0] > 20 && first[0] == first[1], "\(cold.output)")
    #expect(cold.errors.contains("warmup  5/5 100%"), "\(cold.errors)")
    let compiled = programs()
    #expect(compiled.count >= first[0])
    let warm = try counts(
      try BaronProcess.run("warmup", preset, environment: environment))
    #expect(warm == [first[0], 0])
    let trained = try BaronProcess.run(
      "train", preset, "--run", "\(scratch.folder)/run", "--set", "training.iterations=2",
      "--set", "training.evaluate_every=0", environment: environment)
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(programs() == compiled)
  }

  @Test("helpers write all programs; without them the cache becomes the same", arguments: [1, 3])
  func helpers(jobs: Int) throws {
    let scratch = try Scratch()
    // The driver's own cache, so that it has nothing to start from either.
    let environment = [
      "BARON_CACHE": "\(scratch.folder)/cache", "POCL_CACHE_DIR": scratch.folder,
    ]
    let arguments = ["warmup", "demo-teacher", "--set", "training.batch=4", "--jobs", "\(jobs)"]
    let cold = try BaronProcess(arguments, environment: environment).finish()
    let numbers = try counts(cold)
    #expect(numbers.count == 2 && numbers[0] > 10 && numbers[0] == numbers[1], "\(cold.output)")
    #expect(
      cold.output.contains("(\(numbers[0]) in other processes)") == (jobs > 1),
      "\(cold.output)")
    let warm = try counts(try BaronProcess(arguments, environment: environment).finish())
    #expect(warm == [numbers[0], 0])
  }

  @Test("helpers compile at the same time what a configuration needed before")
  func ahead() throws {
    try TestDevice.withContext { shared in
      let scratch = try Scratch()
      let context = try Context(
        device: shared.device, cache: ProgramCache(folder: scratch.folder))
      let list = ProgramList(
        cache: try #require(context.cache), family: context.family, configuration: "two files")
      context.helpers = ProgramHelpers(
        executable: BaronProcess.path ?? "",
        arguments: [
          "compile-programs", "--device", "\(shared.device.index)", "--cache", scratch.folder,
        ], limit: 2)
      /// Programs that were compiled here, found in the cache, and compiled ahead.
      func counts(_ list: ProgramList) throws -> [Int] {
        let library = KernelLibrary(context: context, storing: .later, list: list)
        _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
        _ = try library.kernel("optimizer_squares_forward", in: "Optimizer")
        library.storePrograms()
        return [library.compiledCount, library.cachedCount, library.aheadCount]
      }
      func forget() throws {
        for entry in try FileManager.default.contentsOfDirectory(atPath: scratch.folder)
        where entry.hasSuffix(".bin") {
          try FileManager.default.removeItem(atPath: "\(scratch.folder)/\(entry)")
        }
      }
      #expect(try counts(list) == [2, 0, 0])
      #expect(try counts(list) == [0, 2, 0])
      try forget()
      #expect(try counts(list) == [0, 0, 2])
      // A first start knows what is likely; of that "Pooling" is not needed.
      try forget()
      let new = ProgramList(
        cache: try #require(context.cache), family: context.family, configuration: "new",
        likely: ["Pointwise", "Pooling", "Gone", "Optimizer"].compactMap { ProgramList.Entry($0) })
      #expect(try counts(new) == [0, 0, 2])
    }
  }

  @Test("a killed helper stops nothing, and a stopped command leaves no helper and no files")
  func killed() throws {
    let scratch = try Scratch()
    let temporary = try Scratch()
    let environment = [
      "BARON_CACHE": "\(scratch.folder)/cache", "POCL_CACHE_DIR": scratch.folder,
      "TMPDIR": temporary.path,
    ]
    let arguments = ["warmup", "demo-teacher", "--set", "training.batch=4", "--jobs", "2"]
    let interrupted = try BaronProcess(arguments, environment: environment)
    interrupted.wait { !Self.helpers(of: scratch.folder).isEmpty }
    let orphan = try #require(Self.helpers(of: scratch.folder).first)
    #expect(try temporary.files.contains { $0.hasPrefix("baron-warmup-") })
    interrupted.signal(SIGINT)
    _ = try interrupted.finish()
    #expect(try temporary.files.filter { $0.hasPrefix("baron-") }.isEmpty)
    let deadline = Date(timeIntervalSinceNow: 5)
    while kill(orphan, 0) == 0, Date() < deadline { usleep(5000) }
    #expect(Self.helpers(of: scratch.folder).isEmpty)

    let command = try BaronProcess(arguments, environment: environment)
    command.wait { !Self.helpers(of: scratch.folder).isEmpty }
    for helper in Self.helpers(of: scratch.folder) { kill(helper, SIGKILL) }
    let first = try counts(try command.finish())
    #expect(first.count == 2 && first[0] > 10)
    let warm = try counts(try BaronProcess(arguments, environment: environment).finish())
    #expect(warm == [first[0], 0])
  }

  /// Process identifiers of the helpers that write to a cache in a folder.
  private static func helpers(of folder: String) -> [Int32] {
    let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return processes.compactMap { Int32($0) }.filter { process in
      let arguments = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
      let text = String(decoding: arguments, as: UTF8.self)
      return text.contains("compile-programs") && text.contains(folder)
    }
  }

  @Test("warmup needs neither data nor teacher")
  func nothingThere() throws {
    let scratch = try Scratch()
    let environment = ["BARON_CACHE": "\(scratch.folder)/cache", "BARON_SHARED": "/nowhere"]
    let teacher = ["--teacher", "demo-teacher"]
    for arguments in [["demo-bags"] + teacher, ["demo-teacher", "--set", "training.batch=4"]] {
      let process = try BaronProcess(["warmup"] + arguments, environment: environment)
      #expect(try counts(try process.finish())[0] > 10)
    }
    expectError(try BaronProcess.run("warmup", "coco-minnie"), "coco-mini")
    expectError(
      try BaronProcess.run("warmup", "coco-mini", environment: ["BARON_CACHE": "off"]),
      "BARON_CACHE=off")
    #expect(try BaronProcess.run("warmup", "x.yaml", "--kind", "demo").status == 64)
  }

  @Test("a file of clip-train is told from a detector's")
  func clipFile() throws {
    let scratch = try Scratch()
    let file = "\(scratch.folder)/clip.yaml"
    try Data("base: demo-teacher\ntraining: {batch: 4}\nmodel: {image_size: 16}\n".utf8).write(
      to: URL(filePath: file))
    let profile = try BaronProcess.run(
      "profile", file, "--drawn", "--steps", "1", "--warmup", "1")
    #expect(profile.status == 0 && profile.output.contains("encoders"), "\(profile.errors)")
    #expect(try counts(try BaronProcess.run("warmup", file)).reduce(0, +) > 10)
    // What fits neither is explained as a detector's.
    try Data("base: coco-mini\ntraining: {batch: 4}\n".utf8).write(to: URL(filePath: file))
    expectError(try BaronProcess.run("profile", file), "training has no key \"batch\"")
  }

  @Test("profiles are compared after measuring and without")
  func compare() throws {
    let scratch = try Scratch()
    let (old, new) = ("\(scratch.folder)/old.json", "\(scratch.folder)/new.json")
    func profile(_ arguments: String...) throws -> BaronProcess.Result {
      try BaronProcess(
        ["profile", "coco-mini", "--steps", "1", "--warmup", "1"] + arguments
      ).finish()
    }
    #expect(try profile("--json", old).status == 0)
    let measured = try profile("--json", new, "--compare", old)
    #expect(measured.status == 0, "\(measured.errors)")
    let saved = try BaronProcess.run("profile", "--compare", old, "--with", new)
    #expect(saved.status == 0 && saved.output.contains("new/old"), "\(saved.errors)")
    #expect(measured.output.hasSuffix(saved.output))

    let wrong = "\(scratch.folder)/wrong.json"
    try Data(#"{"steps": 1, "device": 3}"#.utf8).write(to: URL(filePath: wrong))
    expectError(try profile("--compare", wrong), "wrong.json: device: must be a text")
    #expect(try BaronProcess.run("profile", "--with", new).status == 64)
  }
}
