// Softmax and its logarithm over the last axis.
//
// What:    softmax: y[r, c] = exp(x[r, c] - m) / s; log: y[r, c] = x[r, c] - m - log(s), with
//          m = max_c x[r, c] and s = sum_c exp(x[r, c] - m).
// Layout:  x, y, gradients [rows, count].
// Launch:  ComputeStream.launchRows; a work-group owns a row.
// Numbers: float32, sums in a fixed order. Entries may be -inf and get probability 0 (log: -inf). A
//          row of -inf alone gives 0 (log: -inf), not NaN. Gradients are written.

#include "Common/Channels.clh"

// m, or 0 when the row holds nothing but -inf.
static inline float row_shift(float largest) { return largest == -INFINITY ? 0 : largest; }

ROW_KERNEL void softmax_forward(__global const float *restrict x, __global float *restrict y,
                                int count) {
  ROW_SCRATCH
  x += (size_t)get_group_id(0) * count;
  y += (size_t)get_group_id(0) * count;
  channels largest = -INFINITY;
  FOR_EACH_CHANNEL(c, count) largest = fmax(largest, load_channels(x + c, count - c, -INFINITY));
  float shift = row_shift(group_max(max_across(largest)));
  channels sum = 0;
  FOR_EACH_CHANNEL(c, count) {
    channels value = exp(load_channels(x + c, count - c, -INFINITY) - shift);
    store_channels(value, y + c, count - c);
    sum += value;
  }
  float total = group_add(add_across(sum));
  float scale = total > 0 ? 1.0f / total : 0;
  FOR_EACH_CHANNEL(c, count)
  store_channels(scale * load_channels(y + c, count - c, 0), y + c, count - c);
}

// gx = y * (gy - sum_c gy[c] y[c])
ROW_KERNEL void softmax_backward(__global const float *restrict y,
                                 __global const float *restrict gy, __global float *restrict gx,
                                 int count) {
  ROW_SCRATCH
  size_t base = (size_t)get_group_id(0) * count;
  y += base;
  gy += base;
  gx += base;
  channels sum = 0;
  FOR_EACH_CHANNEL(c, count)
  sum += load_channels(y + c, count - c, 0) * load_channels(gy + c, count - c, 0);
  float total = group_add(add_across(sum));
  FOR_EACH_CHANNEL(c, count) {
    channels gradient = load_channels(gy + c, count - c, 0) - total;
    store_channels(load_channels(y + c, count - c, 0) * gradient, gx + c, count - c);
  }
}

ROW_KERNEL void softmax_log_forward(__global const float *restrict x, __global float *restrict y,
                                    int count) {
  ROW_SCRATCH
  x += (size_t)get_group_id(0) * count;
  y += (size_t)get_group_id(0) * count;
  channels largest = -INFINITY;
  FOR_EACH_CHANNEL(c, count) largest = fmax(largest, load_channels(x + c, count - c, -INFINITY));
  float shift = row_shift(group_max(max_across(largest)));
  channels sum = 0;
  FOR_EACH_CHANNEL(c, count) sum += exp(load_channels(x + c, count - c, -INFINITY) - shift);
  float total = group_add(add_across(sum));
  float logarithm = total > 0 ? log(total) : 0;
  // Two subtractions: m alone can be so large that m + log(s) loses log(s).
  FOR_EACH_CHANNEL(c, count)
  store_channels((load_channels(x + c, count - c, 0) - shift) - logarithm, y + c, count - c);
}

// gx = gy - exp(y) * sum_c gy[c]
ROW_KERNEL void softmax_log_backward(__global const float *restrict y,
                                     __global const float *restrict gy, __global float *restrict gx,
                                     int count) {
  ROW_SCRATCH
  size_t base = (size_t)get_group_id(0) * count;
  y += base;
  gy += base;
  gx += base;
  channels sum = 0;
  FOR_EACH_CHANNEL(c, count) sum += load_channels(gy + c, count - c, 0);
  float total = group_add(add_across(sum));
  FOR_EACH_CHANNEL(c, count) {
    channels probability = exp(load_channels(y + c, count - c, -INFINITY));
    store_channels(load_channels(gy + c, count - c, 0) - total * probability, gx + c, count - c);
  }
}
