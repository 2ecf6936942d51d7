import Foundation
import Testing

/// Functions that are given a kernel's local memory.
@Suite("Functions with local memory")
struct InlinedFunctionTests {
  /// The names of the functions in a text that take local memory and that a compiler may leave as
  /// functions.
  ///
  /// - Parameter text: OpenCL C.
  /// - Returns: The names, in order.
  static func notInlined(in text: String) -> [String] {
    let function = /(?m)^ *static (?:inline )?[a-z0-9_ \*]*?\b(\w+)\(([^;{)]*)\)\s*\{/
    return text.replacing("\\\n", with: "\n").matches(of: function)
      .filter { $0.2.contains("__local ") || $0.2.contains("_SCRATCH_PARAMETER") }
      .map { String($0.1) }
  }

  // A CPU's kernels get their local memory as arguments, which PoCL never shares. Those of RoIAlign,
  // inlined by order, spill two registers on gfx90a; PoCL shares none of their arrays.
  @Test("are inlined, or work-groups would share it on PoCL 3.1")
  func inlined() throws {
    for path in try KernelFiles.paths() where !path.contains("CPU.cl") && path != "RoIAlign.cl" {
      #expect(Self.notInlined(in: try KernelFiles.text(path)) == [], "\(path)")
    }
    // What the rule is about is there.
    let shared = try KernelFiles.text("Common/Channels.clh")
    #expect(shared.contains("INLINED channels add_over_rows_("))
  }

  @Test("the rule finds what breaks it")
  func finds() {
    let text = """
      INLINED float first(float value, __local float *scratch) {
      static inline float second(float value,
                                 __local float *scratch) {
      static void third(__global float *y, int count SUM_SCRATCH_PARAMETER) {
      static inline float fourth(float value) {
      #define NAMED(name) \\
        static inline float name(float value, __local float *scratch) { \\
      """
    #expect(Self.notInlined(in: text) == ["second", "third", "name"])
  }
}
