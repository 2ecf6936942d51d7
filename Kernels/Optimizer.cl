// The norm of all gradients and the updates of parameters, for arenas that hold all of them.
//
// What:    squares: partial[block] = sum of g^2 over the block
//          norm:    norm = sqrt(sum of partial) / scale; factor = min(1, limit / (norm + 1e-6)) /
//                   scale, which turns g into the gradient that counts. Without scaling the scale
//                   is 1. With it a norm that is not finite makes factor 0 (the step is left out)
//                   and halves the scale; after so many finite ones in a row the scale doubles.
//          sgd:     m = momentum * m + (h + decay * p); p = p - rate * m
//          adamw:   p = p * (1 - rate * decay); m = beta1 * m + (1 - beta1) * h;
//                   v = beta2 * v + (1 - beta2) * h^2;
//                   p = p - step * m / (sqrt(v) * root + epsilon)
//                   with step = rate / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t)
//          where h = clamp(factor * g, -limit, limit); nothing changes if factor is 0.
// Layout:  p, g, m, v: elements first..<first + count of arenas; blocks[2 * block] the first
//          element of a block, blocks[2 * block + 1] its length; partial [blocks]; norm, factor
//          [1], factor may be null: 1; scaling [2] (scale, finite steps since it changed), may be
//          null.
// Launch:  sgd, adamw: ComputeStream.launchElements; squares: a work-group (ComputeStream.
//          launchRows) owns a block; norm: one work-group.
// Numbers: float32, sums in a fixed order; NaN and infinite gradients reach the norm as NaN or
//          infinity.
// Source:  torch.optim.SGD, torch.optim.AdamW, torch.nn.utils.clip_grad_norm_, torch.amp.GradScaler;
//          spec training 4.2.

#include "Common/Launch.clh"

// The gradient that counts.
static inline float corrected(float g, float factor, float limit) {
  float value = g * factor;
  // Not clamp: NaN stays NaN.
  return value > limit ? limit : (value < -limit ? -limit : value);
}

__kernel void optimizer_sgd_update(__global float *restrict p, __global const float *restrict g,
                                   __global float *restrict m, __global const float *restrict factor,
                                   float limit, float rate, float momentum, float decay, int first,
                                   int count) {
  float scale = factor ? factor[0] : 1.0f;
  if (scale == 0.0f)
    return;
  p += first;
  g += first;
  m += first;
  FOR_EACH_ELEMENT(i, count) {
    float next = momentum * m[i] + (corrected(g[i], scale, limit) + decay * p[i]);
    m[i] = next;
    p[i] -= rate * next;
  }
}

__kernel void optimizer_adamw_update(__global float *restrict p, __global const float *restrict g,
                                     __global float *restrict m, __global float *restrict v,
                                     __global const float *restrict factor, float limit,
                                     float beta1, float beta2, float shrink, float step, float root,
                                     float epsilon, int first, int count) {
  float scale = factor ? factor[0] : 1.0f;
  if (scale == 0.0f)
    return;
  p += first;
  g += first;
  m += first;
  v += first;
  FOR_EACH_ELEMENT(i, count) {
    float gradient = corrected(g[i], scale, limit);
    float mean = beta1 * m[i] + (1.0f - beta1) * gradient;
    float square = beta2 * v[i] + (1.0f - beta2) * gradient * gradient;
    m[i] = mean;
    v[i] = square;
    p[i] = p[i] * shrink - step * mean / (sqrt(square) * root + epsilon);
  }
}

ROW_KERNEL void optimizer_squares_forward(__global const float *restrict g,
                                          __global const int *restrict blocks,
                                          __global float *restrict partial) {
  ROW_SCRATCH
  int first = blocks[2 * get_group_id(0)];
  int last = first + blocks[2 * get_group_id(0) + 1];
  float sum = 0.0f;
  int i = first + LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; i + 16 <= last; i += 16) {
    float16 value = vload16(0, g + i);
    sums = multiply_add(value, value, sums);
  }
  sum = sum_of_lanes(sums);
#endif
  for (; i < last; i += LANES)
    sum = multiply_add(g[i], g[i], sum);
  sum = group_add(sum);
  if (LANE == 0)
    partial[get_group_id(0)] = sum;
}

ROW_KERNEL void optimizer_norm_forward(__global const float *restrict partial,
                                       __global float *restrict norm,
                                       __global float *restrict factor,
                                       __global float *restrict scaling, float limit, int patience,
                                       int count) {
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
    float inverse = scaling ? 1.0f / scaling[0] : 1.0f;
    float length = sqrt(sum) * inverse;
    float wanted = limit / (length + 1e-6f);
    // Not fmin: a NaN must stay one.
    float used = (wanted > 1.0f ? 1.0f : wanted) * inverse;
    if (scaling) {
      float steps = scaling[1] + 1.0f;
      if (!isfinite(length)) {
        used = 0.0f;
        scaling[0] *= 0.5f;
        steps = 0.0f;
      } else if (steps >= (float)patience) {
        scaling[0] *= 2.0f;
        steps = 0.0f;
      }
      scaling[1] = steps;
    }
    norm[0] = length;
    factor[0] = used;
  }
}
