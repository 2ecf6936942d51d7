/// The page that is served, as it lies in `Web`.
enum WebPage {
  /// The files by path, with their media types.
  static let files: [String: (type: String, bytes: [UInt8])] = [
    "/": ("text/html; charset=utf-8", PackageResources.index_html),
    "/page.js": ("text/javascript; charset=utf-8", PackageResources.page_js),
    "/page.css": ("text/css; charset=utf-8", PackageResources.page_css),
  ]

  /// Nothing but this server may be loaded by the page.
  static let headers = [
    (
      name: "Content-Security-Policy",
      value:
        "default-src 'self'; img-src 'self' blob: data:; media-src blob:; frame-ancestors 'none'"
    )
  ]
}
