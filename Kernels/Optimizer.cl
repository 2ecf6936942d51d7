// Parameter updates, gradient norm and clipping, all in place.
//
// What:    sgd:     m = momentum * m + (g + decay * p); p = p - rate * m
//          adamw:   p = p * (1 - rate * decay); m = beta1 * m + (1 - beta1) * g;
//                   v = beta2 * v + (1 - beta2) * g^2;
//                   p = p - step * m / (sqrt(v) * root + epsilon)
//                   with step = rate / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t)
//          squares: partial[first + block] = sum of g^2 over the block
//          norm:    norm = sqrt(sum of partial); factor = min(1, limit / (norm + 1e-6))
//          scale:   g = factor * g
//          limit:   g = clamp(g, -limit, limit)
// Layout:  p, g, m, v [count]; partial [blocks of all gradients]; norm, factor [1].
// Launch:  sgd, adamw, scale, limit: ComputeStream.launchElements; squares: a work-group
//          (ComputeStream.launchRows) owns BLOCK elements; norm: one work-group.
// Parameters: BLOCK: elements of a block of squares, at least 1.
// Numbers: float32, sums in a fixed order; NaN and infinite gradients reach the norm as NaN or
//          infinity.
// Source:  torch.optim.SGD, torch.optim.AdamW, torch.nn.utils.clip_grad_norm_; spec training 4.2.

#include "Common/Launch.clh"

#ifndef BLOCK
#define BLOCK 16384
#endif

__kernel void optimizer_sgd_update(__global float *restrict p, __global const float *restrict g,
                                   __global float *restrict m, float rate, float momentum,
                                   float decay, int count) {
  FOR_EACH_ELEMENT(i, count) {
    float next = momentum * m[i] + (g[i] + decay * p[i]);
    m[i] = next;
    p[i] -= rate * next;
  }
}

__kernel void optimizer_adamw_update(__global float *restrict p, __global const float *restrict g,
                                     __global float *restrict m, __global float *restrict v,
                                     float beta1, float beta2, float shrink, float step, float root,
                                     float epsilon, int count) {
  FOR_EACH_ELEMENT(i, count) {
    float first = beta1 * m[i] + (1.0f - beta1) * g[i];
    float second = beta2 * v[i] + (1.0f - beta2) * g[i] * g[i];
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * shrink - step * first / (sqrt(second) * root + epsilon);
  }
}

ROW_KERNEL void optimizer_squares_forward(__global const float *restrict g,
                                          __global float *restrict partial, int first_partial,
                                          int count) {
  ROW_SCRATCH
  int first = (int)get_group_id(0) * BLOCK;
  int last = min(first + BLOCK, count);
  float sum = 0.0f;
  int i = first + LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; i + 16 <= last; i += 16) {
    float16 value = vload16(0, g + i);
    sums = fma(value, value, sums);
  }
  sum = sum_of_lanes(sums);
#endif
  for (; i < last; i += LANES)
    sum = fma(g[i], g[i], sum);
  sum = group_add(sum);
  if (LANE == 0)
    partial[first_partial + get_group_id(0)] = sum;
}

ROW_KERNEL void optimizer_norm_forward(__global const float *restrict partial,
                                       __global float *restrict norm,
                                       __global float *restrict factor, float limit, int count) {
  ROW_SCRATCH
  float sum = 0.0f;
  int i = LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; i + 16 <= count; i += 16)
    sums += vload16(0, partial + i);
  sum = sum_of_lanes(sums);
#endif
  for (; i < count; i += LANES)
    sum += partial[i];
  sum = group_add(sum);
  if (LANE == 0) {
    float length = sqrt(sum);
    float wanted = limit / (length + 1e-6f);
    norm[0] = length;
    // Not fmin: a NaN must stay one.
    factor[0] = wanted > 1.0f ? 1.0f : wanted;
  }
}

__kernel void optimizer_scale_update(__global float *restrict g,
                                     __global const float *restrict factor, int count) {
  float scale = factor[0];
  if (scale != 1.0f) {
    FOR_EACH_ELEMENT(i, count) g[i] *= scale;
  }
}

__kernel void optimizer_limit_update(__global float *restrict g, float limit, int count) {
  FOR_EACH_ELEMENT(i, count) {
    float value = g[i];
    g[i] = value > limit ? limit : (value < -limit ? -limit : value);
  }
}
