// Smooth L1 distance of box deltas.
//
// What:    loss[block] = scale * sum over its elements of f(x[i] - t[i])
//          f(d) = |d| < beta ? d^2 / (2 beta) : |d| - beta / 2; beta 0 is |d|
//          gx[i] = s * scale * f'(x[i] - t[i]), f'(0) = 0
// Layout:  x, t, gx [count]; loss [blocks]; s: the loss's gradient, one element on the device.
// Launch:  forward: a work-group (ComputeStream.launchRows) owns BLOCK elements; backward:
//          ComputeStream.launchElements.
// Parameters: BLOCK: elements of a block, at least 1.
// Numbers: float32, sums in a fixed order; NaN stays NaN. gx is written, not added to.
// Source:  spec detector 2.3 and 2.7.

#include "Common/Launch.clh"

#ifndef BLOCK
#define BLOCK 4096
#endif

ROW_KERNEL void box_loss_forward(__global const float *restrict x, __global const float *restrict t,
                                 __global float *restrict loss, float beta, float scale,
                                 int count) {
  ROW_SCRATCH
  int first = (int)get_group_id(0) * BLOCK;
  int last = min(first + BLOCK, count);
  float sum = 0.0f;
  for (int i = first + LANE; i < last; i += LANES) {
    float distance = fabs(x[i] - t[i]);
    sum += distance < beta ? 0.5f * distance * distance / beta : distance - 0.5f * beta;
  }
  sum = group_add(sum);
  if (LANE == 0)
    loss[get_group_id(0)] = scale * sum;
}

__kernel void box_loss_backward(__global const float *restrict x, __global const float *restrict t,
                                __global const float *restrict s, __global float *restrict gx,
                                float beta, float scale, int count) {
  FOR_EACH_ELEMENT(i, count) {
    float d = x[i] - t[i];
    float slope = fabs(d) < beta ? d / beta : (d > 0.0f ? 1.0f : (d < 0.0f ? -1.0f : d));
    gx[i] = s[0] * scale * slope;
  }
}
