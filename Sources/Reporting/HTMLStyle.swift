/// The look of an `HTMLReport`: light, dark and on paper.
enum HTMLStyle {
  /// The style sheet; it holds no character that XML would have to escape.
  static let sheet = """
    :root {
      color-scheme: light dark;
      --text: #1d2329; --quiet: #57606a; --page: #ffffff; --raised: #f4f6f8; --rule: #d5dae0;
      --right: #0b62a8; --wrong: #b8420d;
    \(colors { $0.light })
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --text: #e4e8ec; --quiet: #a0a9b3; --page: #14181d; --raised: #1e242b; --rule: #3a424c;
        --right: #6cb4ff; --wrong: #ff9c66;
    \(colors { $0.dark })
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0 auto; max-width: 58rem; padding: 2rem 1rem 4rem;
      font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word;
      color: var(--text); background: var(--page);
    }
    header { border-bottom: 2px solid var(--rule); margin-bottom: 1.5rem; }
    h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 0.4rem; }
    h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.4rem 0 0.7rem; }
    h3, h4, h5, h6 { font-size: 1.1rem; margin: 1.6rem 0 0.5rem; }
    header p, figcaption, caption { color: var(--quiet); }
    header p { margin: 0 0 1rem; }
    p, ul, pre { margin: 0 0 1rem; }
    li { margin: 0.2rem 0; }
    .scroll { overflow-x: auto; margin: 0 0 1.4rem; }
    table { border-collapse: collapse; min-width: 50%; }
    caption {
      caption-side: top; text-align: left; padding-bottom: 0.4rem; font-size: 0.9rem;
      max-width: min(56rem, 92vw);
    }
    th, td {
      padding: 0.35rem 0.8rem; text-align: left; vertical-align: top;
      border-bottom: 1px solid var(--rule); overflow-wrap: normal;
    }
    td { max-width: 30rem; overflow-wrap: break-word; }
    thead th { border-bottom: 2px solid var(--rule); vertical-align: bottom; }
    .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
    pre {
      overflow-x: auto; padding: 0.8rem 1rem; border-radius: 6px; background: var(--raised);
      font: 0.85rem/1.5 ui-monospace, monospace;
    }
    figure { margin: 0 0 1.6rem; }
    figcaption { font-size: 0.9rem; margin-top: 0.3rem; }
    .chart { overflow-x: auto; }
    .chart svg { display: block; width: 100%; height: auto; }
    .chart svg.legend { width: auto; min-width: 0 !important; }
    .tiles {
      display: grid; gap: 0.8rem; margin: 0 0 1.6rem;
      grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
    }
    .tiles div { padding: 0.7rem 0.9rem; border-radius: 6px; background: var(--raised); }
    .tiles span { display: block; }
    .tiles .label { color: var(--quiet); font-size: 0.85rem; line-height: 1.35; }
    .tiles .value {
      font-size: 1.6rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums;
    }
    .figures {
      display: grid; gap: 1.2rem 1.6rem; margin: 0 0 1.6rem;
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }
    .figures figure { margin: 0; }
    .figures .chart svg { min-width: 0 !important; }
    .ground { fill: var(--raised); }
    .gallery {
      --wide: min(94vw, 80rem);
      display: grid; gap: 1rem; width: var(--wide);
      margin: 0 0 1.6rem calc(50% - var(--wide) / 2);
      grid-template-columns: repeat(var(--columns), minmax(0, 1fr));
    }
    .gallery figure { margin: 0; }
    .gallery img {
      display: block; width: 100%; height: auto; image-rendering: pixelated;
      border: 1px solid var(--rule); background: var(--raised);
    }
    details {
      margin: 0 0 1rem; padding: 0.5rem 1rem; border: 1px solid var(--rule); border-radius: 6px;
    }
    summary { cursor: pointer; font-weight: 600; }
    details[open] summary { margin-bottom: 0.8rem; }
    @media (max-width: 40rem) {
      .gallery { grid-template-columns: repeat(min(2, var(--columns)), minmax(0, 1fr)); }
      .figures { grid-template-columns: minmax(0, 1fr); }
      th, td { padding: 0.3rem 0.5rem; }
    }
    @media print {
      :root { color-scheme: light; }
      body { max-width: none; padding: 0; font-size: 10pt; }
      h2, h3, h4, h5, h6 { break-after: avoid; }
      figure, tr, pre { break-inside: avoid; }
      .scroll, .chart, pre { overflow: visible; }
      .gallery { --wide: 100%; }
      .tiles div { border: 1px solid var(--rule); }
      .chart svg { min-width: 0 !important; }
      pre { white-space: pre-wrap; }
      /* What is closed on the screen is complete on paper. */
      details::details-content { content-visibility: visible; }
    }
    """

  /// The colours that the charts ask for.
  private static func colors(_ shade: ((light: String, dark: String)) -> String) -> String {
    "  "
      + SVGCanvas.palette.enumerated().map { "--series-\($0 + 1): \(shade($1));" }
      .joined(separator: " ")
  }
}
