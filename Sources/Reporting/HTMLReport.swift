import Foundation

/// A report as one HTML file that needs nothing else: no network, no script, no other file.
///
/// The text is also well-formed XML. It follows the reader's light or dark scheme, prints, and
/// fits narrow screens. All text is escaped.
package struct HTMLReport: Sendable {
  private let title: String
  private let subtitle: String?
  private var parts: [String] = []
  /// How many collapsible parts this content lies in.
  private var depth = 0

  package init(title: String, subtitle: String? = nil) {
    self.title = title
    self.subtitle = subtitle
  }

  /// Adds a heading, one level lower inside a collapsible part.
  ///
  /// - Parameter text: The heading.
  package mutating func heading(_ text: String) {
    let level = min(6, 2 + depth)
    parts.append("<h\(level)>\(Markup.escaped(text))</h\(level)>")
  }

  /// Adds a paragraph.
  ///
  /// - Parameter text: Its text.
  package mutating func paragraph(_ text: String) {
    parts.append("<p>\(Markup.escaped(text))</p>")
  }

  /// Adds a list with bullets.
  ///
  /// - Parameter items: Its items; nothing is added when there are none.
  package mutating func list(_ items: [String]) {
    guard !items.isEmpty else { return }
    parts.append("<ul>")
    parts += items.map { "<li>\(Markup.escaped($0))</li>" }
    parts.append("</ul>")
  }

  /// Adds a table, which scrolls sideways where it is wider than the page.
  ///
  /// - Parameters:
  ///   - columns: Its columns.
  ///   - rows: Its rows, one text per column; missing ones at the end stay empty.
  ///   - caption: What the table shows.
  package mutating func table(
    columns: [TerminalTable.Column], rows: [[String]], caption: String? = nil
  ) {
    parts.append("<div class=\"scroll\"><table>")
    if let caption { parts.append("<caption>\(Markup.escaped(caption))</caption>") }
    let headings = columns.map {
      "<th scope=\"col\"\(Self.side($0))>\(Markup.escaped($0.title))</th>"
    }
    parts.append("<thead><tr>\(headings.joined())</tr></thead>")
    parts.append("<tbody>")
    for row in rows {
      precondition(
        row.count <= columns.count, "a row of \(row.count) cells for \(columns.count) columns")
      let cells = columns.enumerated().map { index, column in
        "<td\(Self.side(column))>\(index < row.count ? Markup.escaped(row[index]) : "")</td>"
      }
      parts.append("<tr>\(cells.joined())</tr>")
    }
    parts.append("</tbody></table></div>")
  }

  /// Adds text whose spaces and line ends are kept, such as a configuration or a log.
  ///
  /// - Parameter text: The text.
  package mutating func preformatted(_ text: String) {
    // A line end right after `<pre>` would be lost, hence the element in between.
    parts.append("<pre><code>\(Markup.escaped(text))</code></pre>")
  }

  /// Adds a drawing with a caption.
  ///
  /// - Parameters:
  ///   - svg: An `svg` element, inserted as it is.
  ///   - caption: What to see in it.
  package mutating func figure(svg: String, caption: String) {
    parts.append("<figure class=\"chart\">\n\(svg)\n\(Self.caption(caption))</figure>")
  }

  /// Adds numbers that matter most, large and side by side.
  ///
  /// - Parameter items: What each number is, the number, and a line about it.
  package mutating func tiles(_ items: [(label: String, value: String, note: String)]) {
    guard !items.isEmpty else { return }
    parts.append("<div class=\"tiles\">")
    parts += items.map { item in
      "<div><span class=\"label\">\(Markup.escaped(item.label))</span>"
        + "<span class=\"value\">\(Markup.escaped(item.value))</span>"
        + "<span class=\"label\">\(Markup.escaped(item.note))</span></div>"
    }
    parts.append("</div>")
  }

  /// Adds drawings side by side, or below one another on a narrow screen.
  ///
  /// - Parameter items: `svg` elements, inserted as they are, and what to see in them.
  package mutating func figures(_ items: [(svg: String, caption: String)]) {
    guard !items.isEmpty else { return }
    parts.append("<div class=\"figures\">")
    for item in items { figure(svg: item.svg, caption: item.caption) }
    parts.append("</div>")
  }

  /// Adds pictures side by side; small ones are enlarged with sharp pixels.
  ///
  /// - Parameters:
  ///   - items: PNG files, what they show for people who do not see them, and their captions.
  ///   - columnsPerRow: How many share a row; narrow screens have two at most.
  package mutating func gallery(
    _ items: [(png: Data, alt: String, caption: String)], columnsPerRow: Int
  ) {
    precondition(columnsPerRow > 0, "a gallery of \(columnsPerRow) columns")
    guard !items.isEmpty else { return }
    parts.append("<div class=\"gallery\" style=\"--columns:\(columnsPerRow)\">")
    for item in items {
      let source = "data:image/png;base64,\(item.png.base64EncodedString())"
      parts.append(
        "<figure><img src=\"\(source)\" alt=\"\(Markup.escaped(item.alt))\"/>"
          + Self.caption(item.caption) + "</figure>")
    }
    parts.append("</div>")
  }

  /// Adds a part that the reader opens by its summary.
  ///
  /// - Parameters:
  ///   - summary: What stands there while it is closed.
  ///   - isOpen: Whether it is open at first.
  ///   - content: Adds what lies inside.
  /// - Throws: What `content` throws; nothing is added then.
  package mutating func details(
    summary: String, isOpen: Bool = false, content: (inout HTMLReport) throws -> Void
  ) rethrows {
    var inner = HTMLReport(title: title)
    inner.depth = depth + 1
    try content(&inner)
    // XML wants a value for every attribute.
    parts.append(
      "<details\(isOpen ? " open=\"open\"" : "")><summary>\(Markup.escaped(summary))</summary>")
    parts += inner.parts
    parts.append("</details>")
  }

  /// The whole file.
  ///
  /// - Returns: HTML, to be written as UTF-8.
  package func html() -> String {
    let title = Markup.escaped(title)
    // The policy makes browsers refuse whatever an inserted drawing might ask for.
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <meta http-equiv="Content-Security-Policy" \
      content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"/>
      <title>\(title)</title>
      <style>
      \(HTMLStyle.sheet)
      </style>
      </head>
      <body>
      <header>
      <h1>\(title)</h1>
      \(subtitle.map { "<p>\(Markup.escaped($0))</p>\n" } ?? "")</header>
      <main>
      \(parts.joined(separator: "\n"))
      </main>
      </body>
      </html>

      """
  }

  private static func side(_ column: TerminalTable.Column) -> String {
    column.alignment == .right ? " class=\"number\"" : ""
  }

  private static func caption(_ text: String) -> String {
    text.isEmpty ? "" : "<figcaption>\(Markup.escaped(text))</figcaption>"
  }
}
