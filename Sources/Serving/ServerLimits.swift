/// What a server takes on; everything beyond is refused with a reason.
package struct ServerLimits: Sendable, Equatable {
  /// Most bytes of a request's body.
  package var bodyBytes = 32 << 20
  /// Most bytes that the bodies of all requests take together.
  var allBodiesBytes: Int { max(256 << 20, 8 * bodyBytes) }
  /// Most pixels of a picture.
  package var pixels = 50_000_000
  /// Most bytes that decoded pictures take together until the device has had them.
  var allPicturesBytes: Int { max(256 << 20, 12 * pixels) }
  /// Most words that a request looks for.
  package var words = 1300
  /// Most characters of a word.
  package var wordLength = 200
  /// Most objects of an answer.
  package var objects = 1000
  /// Seconds that a request may take to arrive, and again to be answered.
  package var seconds = 60.0
  /// Seconds that a connection may stay open without a request.
  package var idleSeconds = 30.0
  /// Most requests that wait for the device.
  package var queue = 64
  /// Most connections that are open at a time.
  package var connections = 512
  /// Most bytes that pictures which were seen may take on the device and beside it.
  package var pictureBytes = 256 << 20
  /// Most embeddings of words that are kept.
  package var keptWords = 20_000
  /// Most bytes of a request's line and headers.
  package var headBytes = 16 << 10

  /// The usual limits.
  package init() {}
}
