/// Turning HTML character references into characters, once.
///
/// Source: the entity names of HTML 4.01 and the error rules for numbers of the HTML standard; the
/// rarer names that HTML 5 added are left as they are.
enum HTMLEntities {
  /// Replaces all references; those of Latin-1 may lack their semicolon, as in browsers.
  static func unescape(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
    let scalars = Array(text.unicodeScalars)
    var output = String.UnicodeScalarView()
    var position = 0
    while position < scalars.count {
      if scalars[position] == "&", let (found, next) = reference(in: scalars, at: position + 1) {
        if let found { output.append(found) }
        position = next
      } else {
        output.append(scalars[position])
        position += 1
      }
    }
    return String(output)
  }

  /// The character of the reference after an ampersand and the place after it; a character that
  /// must not be written stands for nothing.
  private static func reference(
    in scalars: [Unicode.Scalar], at start: Int
  ) -> (Unicode.Scalar?, Int)? {
    guard start < scalars.count else { return nil }
    if scalars[start] == "#" { return number(in: scalars, at: start + 1) }
    // The longest name has 8 letters.
    let run = scalars[start...].prefix(8).prefix {
      $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil)
    }
    let name = String(String.UnicodeScalarView(run))
    if run.endIndex < scalars.count, scalars[run.endIndex] == ";", let found = all[name] {
      return (found, run.endIndex + 1)
    }
    for length in stride(from: run.count, to: 1, by: -1) {
      if let found = withoutSemicolon[String(name.prefix(length))] {
        return (found, start + length)
      }
    }
    return nil
  }

  private static func number(in scalars: [Unicode.Scalar], at start: Int) -> (Unicode.Scalar?, Int)?
  {
    var position = start
    var radix: UInt32 = 10
    if position < scalars.count, scalars[position] == "x" || scalars[position] == "X" {
      radix = 16
      position += 1
    }
    let first = position
    var value: UInt32 = 0
    while position < scalars.count, scalars[position].isASCII,
      let digit = Character(scalars[position]).hexDigitValue, digit < radix
    {
      value = min(value * radix + UInt32(digit), 0x110000)
      position += 1
    }
    guard position > first else { return nil }
    if position < scalars.count, scalars[position] == ";" { position += 1 }
    if let scalar = WindowsText.scalar(ofByte: value) { return (scalar, position) }
    guard value != 0, let scalar = Unicode.Scalar(value) else { return ("\u{FFFD}", position) }
    let isInvalid =
      value < 9 || value == 11 || (14...31).contains(value) || value == 127
      || (0xFDD0...0xFDEF).contains(value) || value & 0xFFFE == 0xFFFE
    return (isInvalid ? nil : scalar, position)
  }

  private static let withoutSemicolon: [String: Unicode.Scalar] = {
    var table: [String: Unicode.Scalar] = [
      "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "AMP": "&", "LT": "<", "GT": ">",
      "QUOT": "\"", "COPY": "\u{A9}", "REG": "\u{AE}",
    ]
    for (index, name) in latin1.split(whereSeparator: \.isWhitespace).enumerated() {
      table[String(name)] = Unicode.Scalar(UInt32(160 + index))
    }
    return table
  }()

  private static let all: [String: Unicode.Scalar] = {
    var table = withoutSemicolon
    table["apos"] = "'"
    let words = others.split(whereSeparator: \.isWhitespace)
    for index in stride(from: 0, to: words.count - 1, by: 2) {
      table[String(words[index])] = UInt32(words[index + 1]).flatMap { Unicode.Scalar($0) }
    }
    return table
  }()

  /// The names of code points 160 to 255, in order.
  private static let latin1 = """
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn
    sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave
    Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc
    Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute
    THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml
    igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave
    uacute ucirc uuml yacute thorn yuml
    """

  /// Names and code points of the other entities.
  private static let others = """
    OElig 338  oelig 339  Scaron 352  scaron 353  Yuml 376  fnof 402  circ 710  tilde 732
    Alpha 913  Beta 914  Gamma 915  Delta 916  Epsilon 917  Zeta 918  Eta 919  Theta 920
    Iota 921  Kappa 922  Lambda 923  Mu 924  Nu 925  Xi 926  Omicron 927  Pi 928  Rho 929
    Sigma 931  Tau 932  Upsilon 933  Phi 934  Chi 935  Psi 936  Omega 937  alpha 945  beta 946
    gamma 947  delta 948  epsilon 949  zeta 950  eta 951  theta 952  iota 953  kappa 954
    lambda 955  mu 956  nu 957  xi 958  omicron 959  pi 960  rho 961  sigmaf 962  sigma 963
    tau 964  upsilon 965  phi 966  chi 967  psi 968  omega 969  thetasym 977  upsih 978  piv 982
    ensp 8194  emsp 8195  thinsp 8201  zwnj 8204  zwj 8205  lrm 8206  rlm 8207  ndash 8211
    mdash 8212  lsquo 8216  rsquo 8217  sbquo 8218  ldquo 8220  rdquo 8221  bdquo 8222
    dagger 8224  Dagger 8225  bull 8226  hellip 8230  permil 8240  prime 8242  Prime 8243
    lsaquo 8249  rsaquo 8250  oline 8254  frasl 8260  euro 8364  image 8465  weierp 8472
    real 8476  trade 8482  alefsym 8501  larr 8592  uarr 8593  rarr 8594  darr 8595  harr 8596
    crarr 8629  lArr 8656  uArr 8657  rArr 8658  dArr 8659  hArr 8660  forall 8704  part 8706
    exist 8707  empty 8709  nabla 8711  isin 8712  notin 8713  ni 8715  prod 8719  sum 8721
    minus 8722  lowast 8727  radic 8730  prop 8733  infin 8734  ang 8736  and 8743  or 8744
    cap 8745  cup 8746  int 8747  there4 8756  sim 8764  cong 8773  asymp 8776  ne 8800
    equiv 8801  le 8804  ge 8805  sub 8834  sup 8835  nsub 8836  sube 8838  supe 8839
    oplus 8853  otimes 8855  perp 8869  sdot 8901  lceil 8968  rceil 8969  lfloor 8970
    rfloor 8971  lang 9001  rang 9002  loz 9674  spades 9824  clubs 9827  hearts 9829
    diams 9830
    """
}
