import Foundation
import Testing

@testable import Serving

@Suite("Fields of a request")
struct RequestFieldsTests {
  private func request(
    _ type: String, _ body: some Sequence<UInt8>, query: [(name: String, value: String)] = []
  ) -> HTTPRequest {
    HTTPRequest(
      method: "POST", path: "/detect", query: query, headers: ["content-type": type],
      body: Array(body), keepsAlive: true)
  }

  private func fields(
    _ type: String, _ body: String, query: [(name: String, value: String)] = []
  ) throws -> RequestFields {
    try RequestFields(request(type, body.utf8, query: query))
  }

  private func status(_ body: () throws -> Void) -> HTTPStatus? {
    do {
      try body()
      return nil
    } catch {
      return (error as? HTTPFault)?.status
    }
  }

  @Test(arguments: ["image/png", "application/octet-stream", "", "image/jpeg; x=y"])
  func aBareBodyIsThePicture(type: String) throws {
    let fields = try fields(type, "pixels", query: [("words", "a,b"), ("threshold", "0.5")])
    #expect(try fields.requiredPicture() == Array("pixels".utf8))
    #expect(try fields.words(.init()) == ["a", "b"])
    #expect(try fields.number("threshold", in: 0...1) == 0.5)
    #expect(try fields.number("limit", in: 1...9) == nil)
    #expect(try !fields.flag("only"))
  }

  @Test func formsAreTakenApart() throws {
    let body = """
      before\r\n--XX\r\nContent-Disposition: form-data; name="words"\r\n\r\n cat , traffic cone,\
      CAT\r\n--XX \r\nContent-Type: image/png\r\nContent-Disposition: form-data; name=picture; \
      filename="a.png"\r\n\r\n\u{1}--X\r\n--XX\r\ncontent-disposition: form-data; name=only\r\n\
      \r\n1\r\n--XX--\r\nafter
      """
    let fields = try fields("multipart/form-data; boundary=\"XX\"", body)
    #expect(try fields.requiredPicture() == Array("\u{1}--X".utf8))
    #expect(try fields.words(.init()) == ["cat", "traffic cone"])
    #expect(try fields.flag("only"))
  }

  @Test func formsThatAreMalformedAreRefused() {
    for (type, body) in [
      ("multipart/form-data", "--X\r\n"), ("multipart/form-data; boundary=", "--X\r\n"),
      ("multipart/form-data; boundary=X", "nothing"), ("multipart/form-data; boundary=X", ""),
      ("multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=a\r\n\r\nb"),
      ("multipart/form-data; boundary=X", "--X\r\n\r\nb\r\n--X--"),
      ("multipart/form-data; boundary=X", "--Xjunk\r\n"),
      ("multipart/form-data; boundary=X", "--X"),
      ("multipart/form-data; boundary=X", "--X\r\n--X--"),
      ("multipart/form-data; boundary=X", "--X\r\nContent-Type: a\r\n\r\nb\r\n--X--"),
    ] {
      #expect(status { _ = try fields(type, body) } == .badRequest, "\(type) \(body)")
    }
    let many = String(
      repeating: "--X\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n", count: 100)
    #expect(
      status { _ = try fields("multipart/form-data; boundary=X", many + "--X--") } == .badRequest)
  }

  @Test func jsonHoldsThePictureAsBase64() throws {
    let code = Data("pixels".utf8).base64EncodedString()
    for text in [code, "data:image/png;base64,\(code)"] {
      let fields = try fields(
        "application/json; charset=utf-8",
        #"{"picture": "\#(text)", "words": ["a", "b, c"], "threshold": 0.25, "only": true, "x": null}"#
      )
      #expect(try fields.requiredPicture() == Array("pixels".utf8))
      #expect(try fields.words(.init()) == ["a", "b", "c"])
      #expect(try fields.number("threshold", in: 0...1) == 0.25)
      #expect(try fields.flag("only"))
    }
    for body in [
      "", "[]", "{", #"{"picture": "%%%"}"#, #"{"words": {"a": 1}}"#, #"{"words": [1]}"#,
      String(repeating: "[", count: 5000), "\u{FEFF}x",
    ] {
      #expect(
        status { _ = try fields("application/json", body) } == .badRequest, "\(body.prefix(30))")
    }
    #expect(
      status { _ = try RequestFields(request("application/json", [0xFF, 0xFE, 0x80])) }
        == .badRequest)
  }

  @Test func whatIsOutOfBoundsIsRefused() throws {
    var limits = ServerLimits()
    limits.words = 3
    limits.wordLength = 5
    func words(_ text: String) throws -> [String]? {
      try fields("", "x", query: [("words", text)]).words(limits)
    }
    #expect(try words(" , ,") == nil && words("a, b\nc") == ["a", "b", "c"])
    #expect(status { _ = try words("a,b,c,d") } == .unprocessable)
    #expect(status { _ = try words("abcdef") } == .unprocessable)
    #expect(status { _ = try words("a\u{0}") } == .unprocessable)
    for value in ["", "x", "nan", "inf", "-0.1", "1.1", "1e999"] {
      let fields = try fields("", "x", query: [("threshold", value)])
      #expect(
        status { _ = try fields.number("threshold", in: 0...1) } == .unprocessable, "\(value)")
    }
    #expect(try fields("", "x", query: [("limit", "9")]).count("limit", in: 1...9) == 9)
    #expect(try fields("", "x").count("limit", in: 1...9) == nil)
    for value in ["0", "10", "1.5", "x", "1e99"] {
      let fields = try fields("", "x", query: [("limit", value)])
      #expect(status { _ = try fields.count("limit", in: 1...9) } == .unprocessable, "\(value)")
    }
    for (value, says) in [("", true), ("Yes", true), ("off", false), ("0", false)] {
      #expect(try fields("", "x", query: [("only", value)]).flag("only") == says)
    }
    for value in ["2", "maybe", "tru"] {
      let fields = try fields("", "x", query: [("only", value)])
      #expect(status { _ = try fields.flag("only") } == .unprocessable, "\(value)")
    }
    #expect(status { _ = try fields("", "").requiredPicture() } == .badRequest)
    #expect(status { _ = try fields("text/html", "x") } == .unsupportedMediaType)
  }
}
