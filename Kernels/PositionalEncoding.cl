// Sines and cosines of box coordinates.
//
// What:    y[n, q * features + i] = sin(2 pi * (boxes[n,q] * turns[i] + phase[i]))
// Layout:  boxes [rows, 4] (cx, cy, w, h); table [3, features]: turns per unit, what rounding turns
//          to float32 left over, phase (0 a sine, 0.25 a cosine); y [rows, 4 * features].
// Launch:  one work-group a row (ComputeStream.launchRows).
// Numbers: the angle is reduced to half a turn before the sine, in two floats, so the result is
//          right to a few 1e-7 although the angle reaches hundreds of turns. No gradient.
// Source:  spec method 1.6.

#include "Common/Launch.clh"

// The angle in turns, in -0.5...0.5.
#define REDUCED_TURNS(type, u, turns, rest, phase)                                                 \
  type whole = (u) * (turns);                                                                      \
  type lost = fma((u), (rest), fma((u), (turns), -whole));                                         \
  type part = (whole - rint(whole)) + lost + (phase);                                              \
  part -= rint(part)

ROW_KERNEL void positional_encoding_forward(__global const float *restrict boxes,
                                            __global const float *restrict table,
                                            __global float *restrict y, int features) {
  int n = (int)get_group_id(0);
  const float turn = 6.28318530717958647692f;
  __global const float *rests = table + features;
  __global const float *phases = table + 2 * features;
  for (int q = 0; q < 4; q++) {
    float u = boxes[4 * n + q];
    __global float *target = y + ((size_t)n * 4 + q) * features;
    int i = LANE;
#if DEVICE_IS_CPU
    for (; i + 16 <= features; i += 16) {
      REDUCED_TURNS(float16, (float16)(u), vload16(0, table + i), vload16(0, rests + i),
                    vload16(0, phases + i));
      vstore16(sin(turn * part), 0, target + i);
    }
#endif
    for (; i < features; i += LANES) {
      REDUCED_TURNS(float, u, table[i], rests[i], phases[i]);
      target[i] = sin(turn * part);
    }
  }
}
