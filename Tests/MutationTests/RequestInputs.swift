import Foundation
import TestSupport
import Testing

@testable import Serving

extension InputFormat {
  static let requests: [InputFormat] = [
    InputFormat(
      name: "form", file: "body", kind: .bytes,
      seeds: { _ in
        [
          Array(
            "--x\r\nContent-Disposition: form-data; name=\"words\"\r\n\r\ncat, dog\r\n--x\r\n"
              .utf8)
            + Array(
              "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\nabc\r\n--x--\r\n"
                .utf8)
        ]
      },
      read: { path in
        let form = try MultipartForm(
          [UInt8](try Data(contentsOf: URL(filePath: path))),
          contentType: "multipart/form-data; boundary=x")
        _ = form.fields.map(\.text)
      }),
    InputFormat(
      name: "request", file: "head", kind: .text,
      seeds: { _ in
        [
          Array(
            "POST /detect?words=red%20cat,dog&x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nA: b"
              .utf8)
        ]
      },
      read: { path in
        _ = try HTTPRequest(
          head: [UInt8](try Data(contentsOf: URL(filePath: path))))
      }),
  ]
}
