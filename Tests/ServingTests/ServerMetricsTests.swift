import Testing

@testable import Serving

@Suite("Metrics of a server")
struct ServerMetricsTests {
  @Test func theTextIsPrometheusFormat() throws {
    let metrics = ServerMetrics()
    metrics.answered("/detect", .ok, seconds: 0.02)
    metrics.answered("/detect", .ok, seconds: 100)
    metrics.answered("/detect", .badRequest, seconds: 0.001)
    metrics.add(to: .pictureHits)
    metrics.add(0.5, to: .deviceSeconds)
    let text = metrics.text(
      .init(connections: 3, queued: 2, pictures: 1, pictureBytes: 77, words: 9))
    let lines = text.split(separator: "\n").map(String.init)
    for line in [
      "baron_requests_total{path=\"/detect\",code=\"200\"} 2",
      "baron_requests_total{path=\"/detect\",code=\"400\"} 1",
      "baron_request_seconds_bucket{path=\"/detect\",le=\"0.01\"} 1",
      "baron_request_seconds_bucket{path=\"/detect\",le=\"0.025\"} 2",
      "baron_request_seconds_bucket{path=\"/detect\",le=\"30\"} 2",
      "baron_request_seconds_bucket{path=\"/detect\",le=\"+Inf\"} 3",
      "baron_request_seconds_count{path=\"/detect\"} 3", "baron_picture_cache_hits_total 1",
      "baron_device_seconds_total 0.5", "baron_connections 3", "baron_queue_length 2",
      "baron_picture_cache_bytes 77", "baron_word_cache_entries 9",
      "# TYPE baron_request_seconds histogram",
    ] {
      #expect(lines.contains(line), "\(line)")
    }
    #expect(ServerMetrics.residentBytes > 1 << 20)
    // Every sample follows the type of its family.
    var family = ""
    for line in lines {
      if line.hasPrefix("# TYPE ") { family = String(line.split(separator: " ")[2]) }
      #expect(line.hasPrefix("#") || line.hasPrefix(family), "\(line)")
      let parts = line.split(separator: " ")
      #expect(line.hasPrefix("#") || (parts.count == 2 && Double(parts[1]) != nil), "\(line)")
    }
    #expect(text.hasSuffix("\n"))
  }
}
