// Classification losses on logits: softmax, sigmoid, binary and soft targets.
//
// What:    softmax:  loss[r] = k[r] * (M[r] - x[r,label[r]] + log(S[r])) with M[r] = max over c of
//                    x[r,c] + b[c] and S[r] = sum over c of exp(x[r,c] + b[c] - M[r])
//                    gx[r,c] = s * k[r] * (exp(x + b[c] - M[r]) / S[r] - (c == label[r]))
//          sigmoid:  loss[r] = k[r] * sum over c of u[c] * bce(x[r,c], c == label[r])
//          binary:   loss[block] = k * sum over its elements of bce(x[i], t[i])
//          soft:     loss[r] = -k / (T[r] + 1e-6) * sum over c of
//                    t[r,c] * (x[r,c] - M[r] - log(S[r])) with T[r] = sum over c of t[r,c]
//          total:    y = sum over r of loss[r]
//          row_factors: what label and k are made from: k[r] = w[r] * u[label[r]] / divisor, and
//                    label[r] -1 where its class is excluded, which is u < 1e-5
//          bce(x, t) = max(x, 0) - x * t + log(1 + exp(-|x|)), its derivative sigmoid(x) - t
// Layout:  x, t, gx [rows, columns] (binary: [count]); label int [rows], -1 skips the row;
//          k [rows], of binary and soft one number; b [columns], 0 or -inf; u [columns]; MS [rows, 2] holds M and S;
//          T, loss [rows]; s: the loss's gradient, one element on the device.
// Launch:  one work-group a row, for binary a block of BLOCK elements (ComputeStream.launchRows);
//          total: one work-group; element-wise backward kernels: ComputeStream.launchElements.
// Parameters: BLOCK: elements of a block of the binary loss, at least 1.
// Numbers: float32, sums in a fixed order; -inf logits have probability 0; NaN stays NaN. gx is
//          written, not added to.
// Source:  spec detector 2.3, 2.7 and method 1.12.

#include "Common/Launch.clh"

#ifndef BLOCK
#define BLOCK 4096
#endif

// This work-item's part of the maximum of x + b; b may be null.
static inline float row_max(__global const float *restrict x, __global const float *restrict b,
                            int columns) {
  float best = -INFINITY;
  int c = LANE;
#if DEVICE_IS_CPU
  float16 bests = -INFINITY;
  for (; c + 16 <= columns; c += 16)
    bests = fmax(bests, b ? vload16(0, x + c) + vload16(0, b + c) : vload16(0, x + c));
  best = max_of_lanes(bests);
#endif
  for (; c < columns; c += LANES)
    best = fmax(best, b ? x[c] + b[c] : x[c]);
  return best;
}

// This work-item's part of the sum of exp(x + b - shift); b may be null.
static inline float row_exp_sum(__global const float *restrict x, __global const float *restrict b,
                                float shift, int columns) {
  float sum = 0.0f;
  int c = LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; c + 16 <= columns; c += 16)
    sums += exp((b ? vload16(0, x + c) + vload16(0, b + c) : vload16(0, x + c)) - shift);
  sum = sum_of_lanes(sums);
#endif
  for (; c < columns; c += LANES)
    sum += exp((b ? x[c] + b[c] : x[c]) - shift);
  return sum;
}

// A shift that keeps exp finite; 0 where a row is all -inf, so that no inf - inf arises.
static inline float safe_shift(float maximum) { return isfinite(maximum) ? maximum : 0.0f; }

static inline float binary_loss(float x, float t) {
  return fmax(x, 0.0f) - x * t + log1p(exp(-fabs(x)));
}

static inline float16 binary_loss16(float16 x, float16 t) {
  return fmax(x, (float16)(0.0f)) - x * t + log1p(exp(-fabs(x)));
}

static inline float logistic(float x) { return 1.0f / (1.0f + exp(-x)); }

// u and w may be null, which means 1.
__kernel void cross_entropy_row_factors(__global const int *restrict label,
                                        __global const float *restrict u,
                                        __global const float *restrict w,
                                        __global int *restrict kept, __global float *restrict k,
                                        float divisor, int excludes, int count) {
  FOR_EACH_ELEMENT(r, count) {
    int wanted = label[r];
    float weight = u && wanted >= 0 ? u[wanted] : 1.0f;
    if (excludes && weight < 1e-5f)
      wanted = -1;
    kept[r] = wanted;
    k[r] = wanted < 0 ? 0.0f : (w ? w[r] : 1.0f) * weight / divisor;
  }
}

ROW_KERNEL void cross_entropy_softmax_forward(__global const float *restrict x,
                                              __global const float *restrict b,
                                              __global const int *restrict label,
                                              __global const float *restrict k,
                                              __global float *restrict loss,
                                              __global float *restrict MS, int columns) {
  ROW_SCRATCH
  int r = (int)get_group_id(0);
  __global const float *row = x + (size_t)r * columns;
  float shift = safe_shift(group_max(row_max(row, b, columns)));
  float sum = group_add(row_exp_sum(row, b, shift, columns));
  if (LANE == 0) {
    int wanted = label[r];
    MS[2 * r] = shift;
    MS[2 * r + 1] = sum;
    loss[r] = wanted < 0 ? 0.0f : k[r] * (shift - (row[wanted] + b[wanted]) + log(sum));
  }
}

ROW_KERNEL void cross_entropy_softmax_backward(__global const float *restrict x,
                                               __global const float *restrict b,
                                               __global const int *restrict label,
                                               __global const float *restrict k,
                                               __global const float *restrict MS,
                                               __global const float *restrict s,
                                               __global float *restrict gx, int columns) {
  int r = (int)get_group_id(0);
  __global const float *row = x + (size_t)r * columns;
  __global float *target = gx + (size_t)r * columns;
  int wanted = label[r];
  float factor = s[0] * k[r], shift = MS[2 * r];
  if (wanted < 0) {
    for (int c = LANE; c < columns; c += LANES)
      target[c] = 0.0f;
  } else {
    float share = factor / MS[2 * r + 1];
    int c = LANE;
#if DEVICE_IS_CPU
    for (; c + 16 <= columns; c += 16)
      vstore16(share * exp(vload16(0, row + c) + vload16(0, b + c) - shift), 0, target + c);
#endif
    for (; c < columns; c += LANES)
      target[c] = share * exp(row[c] + b[c] - shift);
    // The work-item that wrote this column corrects it.
    if (wanted % LANES == LANE)
      target[wanted] -= factor;
  }
}

ROW_KERNEL void cross_entropy_sigmoid_forward(__global const float *restrict x,
                                              __global const float *restrict u,
                                              __global const int *restrict label,
                                              __global const float *restrict k,
                                              __global float *restrict loss, int columns) {
  ROW_SCRATCH
  int r = (int)get_group_id(0);
  __global const float *row = x + (size_t)r * columns;
  int wanted = label[r];
  float sum = 0.0f;
  int c = LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; c + 16 <= columns; c += 16)
    sums += vload16(0, u + c) * binary_loss16(vload16(0, row + c), (float16)(0.0f));
  sum = sum_of_lanes(sums);
#endif
  for (; c < columns; c += LANES)
    sum += u[c] * binary_loss(row[c], 0.0f);
  sum = group_add(sum);
  if (LANE == 0)
    loss[r] = wanted < 0 ? 0.0f : k[r] * (sum - u[wanted] * row[wanted]);
}

__kernel void cross_entropy_sigmoid_backward(__global const float *restrict x,
                                             __global const float *restrict u,
                                             __global const int *restrict label,
                                             __global const float *restrict k,
                                             __global const float *restrict s,
                                             __global float *restrict gx, int columns, int count) {
  FOR_EACH_ELEMENT(i, count) {
    int r = i / columns;
    int c = i - r * columns;
    float error = logistic(x[i]) - (c == label[r] ? 1.0f : 0.0f);
    gx[i] = label[r] < 0 ? 0.0f : s[0] * k[r] * u[c] * error;
  }
}

ROW_KERNEL void cross_entropy_binary_forward(__global const float *restrict x,
                                             __global const float *restrict t,
                                             __global float *restrict loss, float k, int count) {
  ROW_SCRATCH
  int first = (int)get_group_id(0) * BLOCK;
  int last = min(first + BLOCK, count);
  float sum = 0.0f;
  int i = first + LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; i + 16 <= last; i += 16)
    sums += binary_loss16(vload16(0, x + i), vload16(0, t + i));
  sum = sum_of_lanes(sums);
#endif
  for (; i < last; i += LANES)
    sum += binary_loss(x[i], t[i]);
  sum = group_add(sum);
  if (LANE == 0)
    loss[get_group_id(0)] = k * sum;
}

__kernel void cross_entropy_binary_backward(__global const float *restrict x,
                                            __global const float *restrict t,
                                            __global const float *restrict s,
                                            __global float *restrict gx, float k, int count) {
  FOR_EACH_ELEMENT(i, count) gx[i] = s[0] * k * (logistic(x[i]) - t[i]);
}

ROW_KERNEL void cross_entropy_soft_forward(__global const float *restrict x,
                                           __global const float *restrict t,
                                           __global float *restrict loss,
                                           __global float *restrict MS, __global float *restrict T,
                                           int columns, float k) {
  ROW_SCRATCH
  int r = (int)get_group_id(0);
  __global const float *row = x + (size_t)r * columns;
  __global const float *wanted = t + (size_t)r * columns;
  float shift = safe_shift(group_max(row_max(row, 0, columns)));
  float exp_sum = group_add(row_exp_sum(row, 0, shift, columns));
  float log_sum = log(exp_sum);
  float mass = 0.0f, sum = 0.0f;
  for (int c = LANE; c < columns; c += LANES) {
    mass += wanted[c];
    sum += wanted[c] * (row[c] - shift - log_sum);
  }
  mass = group_add(mass);
  sum = group_add(sum);
  if (LANE == 0) {
    MS[2 * r] = shift;
    MS[2 * r + 1] = exp_sum;
    T[r] = mass;
    loss[r] = -k * sum / (mass + 1e-6f);
  }
}

ROW_KERNEL void cross_entropy_soft_backward(__global const float *restrict x,
                                            __global const float *restrict t,
                                            __global const float *restrict MS,
                                            __global const float *restrict T,
                                            __global const float *restrict s,
                                            __global float *restrict gx, int columns, float k) {
  int r = (int)get_group_id(0);
  size_t start = (size_t)r * columns;
  float shift = MS[2 * r], mass = T[r];
  float factor = s[0] * k / (mass + 1e-6f);
  float share = mass / MS[2 * r + 1];
  int c = LANE;
#if DEVICE_IS_CPU
  for (; c + 16 <= columns; c += 16)
    vstore16(factor * (share * exp(vload16(0, x + start + c) - shift) - vload16(0, t + start + c)),
             0, gx + start + c);
#endif
  for (; c < columns; c += LANES)
    gx[start + c] = factor * (share * exp(x[start + c] - shift) - t[start + c]);
}

ROW_KERNEL void cross_entropy_total_forward(__global const float *restrict loss,
                                            __global float *restrict y, int rows) {
  ROW_SCRATCH
  float sum = 0.0f;
  int r = LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; r + 16 <= rows; r += 16)
    sums += vload16(0, loss + r);
  sum = sum_of_lanes(sums);
#endif
  for (; r < rows; r += LANES)
    sum += loss[r];
  sum = group_add(sum);
  if (LANE == 0)
    y[0] = sum;
}
