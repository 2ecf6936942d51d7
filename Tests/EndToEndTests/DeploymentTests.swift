import Formats
import Foundation
import Pictures
import TestSupport
import Testing

/// A trained detector leaves the machine that trained it: in one file, and behind HTTP.
@Suite(
  "Bundle and server", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct DeploymentTests {
  private static let photo = "\(Fixture.sharedFolder)/data/images/bus.jpg"

  @Test func aRunInOneFileFindsTheSameElsewhere() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    #expect(try MainJobTests.train(into: run).finish().status == 0)
    let wanted = try detections(run, in: scratch.folder)
    // Another machine: an empty folder, and neither the run nor the CLIP folder's variable.
    let elsewhere = try Scratch()
    let bundle = "\(elsewhere.folder)/model.baron"
    let exported = try BaronProcess.run("export", run, "--output", bundle)
    #expect(exported.status == 0 && exported.output.contains("classes"), "\(exported.errors)")
    let again = try BaronProcess.run("export", run, "-o", bundle)
    #expect(again.status == 1 && again.errors.contains("--overwrite"))
    try FileManager.default.removeItem(atPath: run)
    #expect(try detections("model.baron", in: elsewhere.folder) == wanted)
    try inspect(bundle)
    try evaluate(in: elsewhere.folder)
    try refuse(bundle, in: elsewhere)
    try serve(bundle, in: elsewhere)
  }

  /// Runs the program in a folder, without the tests' variables.
  private func run(_ arguments: [String], in folder: String) throws -> BaronProcess {
    try BaronProcess(
      ["-C", folder, "-u", "BARON_SHARED", BaronProcess.path ?? ""] + arguments,
      program: "/usr/bin/env")
  }

  private func detections(_ model: String, in folder: String) throws -> [String] {
    try [["--vocabulary", "bus, person, traffic cone"], []].map { words in
      let output = "\(folder)/found"
      let found = try run(
        ["detect", Self.photo, "--checkpoint", model, "--output", output, "--overwrite"] + words,
        in: folder
      ).finish()
      #expect(found.status == 0, "\(found.errors)")
      return try String(contentsOfFile: "\(output)/detections.json", encoding: .utf8)
    }
  }

  private func inspect(_ bundle: String) throws {
    let listed = try BaronProcess.run("inspect", bundle)
    #expect(listed.status == 0, "\(listed.errors)")
    for word in ["base: ", "novel: ", "detector.safetensors", "clip/model.safetensors"] {
      #expect(listed.output.contains(word), "\(word)")
    }
    let json = try BaronProcess.run("inspect", bundle, "--json")
    let manifest = try JSONValue(parsing: json.output, source: "inspect --json")
    #expect(manifest["format"]?.string == "baron bundle" && manifest["iteration"]?.integer == 6)
  }

  private func evaluate(in folder: String) throws {
    let data = "\(Fixture.sharedFolder)/data/coco-mini"
    let bare = try run(["evaluate", "--checkpoint", "model.baron"], in: folder).finish()
    #expect(bare.status == 1 && bare.errors.contains("data.validation_annotations"))
    let scored = try run(
      [
        "evaluate", "--checkpoint", "model.baron", "--set",
        "data.validation_annotations=\(data)/annotations/instances_val_base_novel.json", "--set",
        "data.validation_images=\(data)/images/val2017",
      ], in: folder
    ).finish()
    #expect(scored.status == 0 && scored.output.contains("AP50"), "\(scored.errors)")
  }

  private func refuse(_ bundle: String, in scratch: Scratch) throws {
    let whole = try Data(contentsOf: URL(filePath: bundle))
    let cut = try scratch.write(whole.prefix(whole.count / 2), "cut.baron")
    for command in [["detect", Self.photo, "--checkpoint"], ["inspect"], ["serve"]] {
      let refused = try BaronProcess(command + [cut]).finish()
      #expect(refused.status == 1 && refused.lines("error: \(cut)").count == 1, "\(refused.errors)")
    }
    let junk = try scratch.write("no zip", "junk.baron")
    for (path, part) in [
      (junk, "does not begin as 'baron export' writes it"),
      ("\(scratch.folder)/none.baron", "no such file; 'baron export RUN"),
    ] {
      let refused = try BaronProcess(["serve", path]).finish()
      #expect(refused.status == 1 && refused.lines("error: \(path)").count == 1)
      #expect(refused.errors.contains(part), "\(refused.errors)")
    }
    let folder = try BaronProcess.run("export", scratch.folder, "-o", "\(scratch.folder)/x.baron")
    #expect(folder.status == 1 && folder.lines("error:").count == 1)
    let name = try BaronProcess.run("export", bundle, "-o", "\(scratch.folder)/x.zip")
    #expect(name.status == 64 && name.errors.contains(".baron"))
  }

  private func serve(_ bundle: String, in scratch: Scratch) throws {
    let server = try run(
      ["serve", "model.baron", "--port", "0", "--max-words", "5", "--max-megabytes", "1"],
      in: scratch.folder)
    // A busy machine takes its time to compile kernels.
    for _ in 0..<10 { server.wait { server.outputSoFar.contains("http://") } }
    let number = server.outputSoFar.split(separator: ":").last.flatMap {
      UInt16($0.prefix { $0.isNumber })
    }
    guard let port = number else {
      server.signal(SIGTERM)
      Issue.record("no address: \(try server.finish().errors)")
      return
    }
    try ask(port, in: scratch.folder)
    refuse(port)
    // A request that has begun is answered before the end.
    let client = try #require(RawClient(port: port))
    let body = try Array(Data(contentsOf: URL(filePath: Self.photo)))
    client.send("POST /detect?words=tram HTTP/1.1\r\nContent-Length: \(body.count)\r\n\r\n")
    client.send(Array(body.prefix(1000)))
    usleep(100_000)
    server.signal(SIGTERM)
    usleep(300_000)
    client.send(Array(body.dropFirst(1000)))
    #expect(client.read().hasPrefix("HTTP/1.1 200 OK"))
    let ended = try server.finish()
    #expect(ended.status == 0 && ended.errors.contains("all requests are answered"))
  }

  private func ask(_ port: UInt16, in folder: String) throws {
    let body = try Array(Data(contentsOf: URL(filePath: Self.photo)))
    func detect(_ query: String) throws -> JSONValue {
      let answer = RawClient.ask(
        port: port, "/detect?\(query)", method: "POST", type: "image/jpeg", body: body)
      #expect(answer.status == 200, "\(answer.body)")
      return try JSONValue(parsing: answer.body, source: "the answer")
    }
    // The same as the command finds, to the last digit, whatever is asked for.
    let words = ["--vocabulary", "bus, person, traffic cone"]
    for (index, (query, options)) in [
      ("words=bus,person,traffic%20cone&", words), ("words=traffic%20cone,person,bus&", words),
      ("", []), ("threshold=0&", ["--score-threshold", "0"]),
      ("words=bus,person,traffic%20cone&threshold=0&", words + ["--score-threshold", "0"]),
      (
        "words=bus,person,traffic%20cone&threshold=0&only=true&overlapping=1&limit=60&",
        words + ["--score-threshold", "0", "--only", "--keep-overlapping", "--limit", "60"]
      ),
    ].enumerated() {
      let answer = try detect(query + "next=2")
      #expect(answer["seen"]?.bool == (index > 0) && answer["picture"]?["width"]?.integer == 810)
      let wanted = try run(
        [
          "detect", Self.photo, "--checkpoint", "model.baron", "--json", "--no-pictures",
          "--output", "\(folder)/j", "--overwrite",
        ] + options, in: folder
      ).finish()
      let line = try JSONValue(parsing: wanted.output, source: "detect --json")
      let (mine, theirs) = (answer["objects"]?.array ?? [], line["objects"]?.array ?? [])
      #expect(mine.count == theirs.count, "\(query)")
      // What six steps teach is less than a class of training anywhere.
      if query.hasPrefix("threshold") || query.contains("only") { #expect(!theirs.isEmpty) }
      for (mine, theirs) in zip(mine, theirs) {
        for key in ["name", "score", "box"] {
          #expect(mine[key] == theirs[key], "\(query) \(key)")
        }
        #expect(mine["next"]?.array?.count == 2 && mine["trained"]?.bool != nil)
      }
    }
    // Hidden classes of training compete; what is told is what was asked for.
    let tree = try detect("words=tree&threshold=0")
    #expect(tree["objects"]?.array?.allSatisfy { $0["name"]?.string == "tree" } == true)
    try askForTheRest(port)
  }

  private func askForTheRest(_ port: UInt16) throws {
    let embedded = RawClient.ask(
      port: port, "/embed", method: "POST", type: "application/json",
      body: Array(#"{"words": ["cat", "tram"]}"#.utf8))
    let rows = try JSONValue(parsing: embedded.body, source: "the answer")
    let width = try #require(rows["width"]?.integer)
    for row in try #require(rows["embeddings"]?.array) {
      let numbers = (row.array ?? []).compactMap(\.number)
      #expect(numbers.count == width)
      #expect(abs(numbers.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    }
    #expect(RawClient.ask(port: port, "/healthz").body == "{\"status\":\"ok\"}\n")
    let metrics = RawClient.ask(port: port, "/metrics").body
    #expect(metrics.contains("baron_requests_total{path=\"/detect\",code=\"200\"} 7"))
    #expect(metrics.contains("baron_picture_cache_hits_total 6"))
    let model = try JSONValue(parsing: RawClient.ask(port: port, "/model").body, source: "model")
    #expect(model["classes"]?.array?.isEmpty == false && model["limits"]?["words"]?.integer == 5)
    for path in ["/", "/page.js", "/page.css"] {
      #expect(RawClient.ask(port: port, path).status == 200)
    }
    #expect(RawClient.ask(port: port, "/", method: "HEAD").body.isEmpty)
    #expect(RawClient.ask(port: port, "/scenes").body == "[]\n")
  }

  private func refuse(_ port: UInt16) {
    func status(
      _ target: String, _ method: String = "POST", type: String = "image/jpeg",
      body: [UInt8] = Array("no picture".utf8)
    ) -> Int {
      let answer = RawClient.ask(port: port, target, method: method, type: type, body: body)
      #expect(answer.body.hasPrefix("{\"error\":\"") || method == "HEAD", "\(answer.body)")
      return answer.status
    }
    #expect(status("/detect") == 422)
    #expect(status("/detect", body: []) == 400)
    #expect(status("/detect", "GET", body: []) == 405)
    #expect(status("/nothing", "GET", body: []) == 404)
    #expect(status("/scenes/../../etc/passwd", "GET", body: []) == 404)
    #expect(status("/scenes/..%2f..%2fetc%2fpasswd", "GET", body: []) == 404)
    #expect(status("/detect", type: "text/html") == 415)
    #expect(status("/detect", type: "application/json", body: Array("{".utf8)) == 400)
    #expect(status("/detect?threshold=2") == 422)
    #expect(status("/detect?words=a,b,c,d,e,f") == 422)
    #expect(status("/detect", body: [UInt8](repeating: 0, count: 2_000_000)) == 413)
    let long = [String](repeating: "word", count: 45).joined(separator: "%20")
    #expect([200, 422].contains(status("/embed?words=\(long)", body: [])))
    #expect(status("/embed", body: []) == 422)
  }

  @Test func aDemoThatIsNotThereIsNamed() throws {
    let scratch = try Scratch()
    let none = try run(["serve", "--demo"], in: scratch.folder).finish()
    #expect(none.status == 1 && none.errors.contains("'baron demo --quick' makes one"))
    let nothing = try BaronProcess.run("serve")
    #expect(nothing.status == 64 && nothing.errors.contains("--demo"))
    let port = try BaronProcess.run("serve", "x", "--port", "70000")
    #expect(port.status == 64)
    let missing = try BaronProcess.run("serve", "\(scratch.folder)/none.baron")
    #expect(missing.status == 1 && missing.lines("error:").count == 1)
  }
}
