// Layer normalisation over the last axis.
//
// What:    y[r, c] = n[r, c] * weight[c] + bias[c], n = (x[r, c] - mean[r]) * inverse[r],
//          inverse = 1 / sqrt(variance + epsilon), variance with divisor count.
//          Backward, h = gy * weight: gx = inverse * (h - mean_c(h) - n * mean_c(h * n));
//          gbias[c] = sum_r gy, gweight[c] = sum_r gy * n, both added to totals as well where these
//          are not null. With `adds` gx is added to what it holds.
// Layout:  x, y, gradients [rows, count]; statistics [rows, 2] (mean, inverse); weight, bias
//          and their gradients [count]; partial [blocks, 2, count].
// Launch:  ComputeStream.launchRows, a work-group owns a row; backward_weight: a work-group owns
//          the rows [g * block, (g + 1) * block); fold: a group for every CHANNEL_WIDTH
//          channels.
// Parameters: STORAGE, how x, y and their gradients lie in memory; the rest is float.
// Numbers: float32; the mean is subtracted before squares are taken, so a large common offset costs
//          no digits beyond those of x. Orders are fixed. Gradients are written.
// Source:  Ba et al. 2016; behaviour of PyTorch's layer_norm.

#include "Common/Channels.clh"

ROW_KERNEL void layer_norm_forward(__global const stored *restrict x,
                                   __global const float *restrict weight,
                                   __global const float *restrict bias,
                                   __global stored *restrict y,
                                   __global float *restrict statistics, int count, float epsilon) {
  ROW_SCRATCH
  x += (size_t)get_group_id(0) * count;
  y += (size_t)get_group_id(0) * count;
  // Sums of differences from the first element: the mean keeps its digits beside a large offset.
  float origin = load_element(x);
  channels sum = 0;
  FOR_EACH_CHANNEL(c, count) sum += load_stored(x + c, count - c, origin) - origin;
  float mean = origin + group_add(add_across(sum)) / (float)count;
  channels squares = 0;
  FOR_EACH_CHANNEL(c, count) {
    channels distance = load_stored(x + c, count - c, mean) - mean;
    squares += distance * distance;
  }
  float inverse = 1.0f / sqrt(group_add(add_across(squares)) / (float)count + epsilon);
  FOR_EACH_CHANNEL(c, count) {
    channels normal = (load_stored(x + c, count - c, mean) - mean) * inverse;
    store_stored(normal * load_channels(weight + c, count - c, 0) +
                       load_channels(bias + c, count - c, 0),
                   y + c, count - c);
  }
  if (LANE == 0) {
    statistics[2 * get_group_id(0)] = mean;
    statistics[2 * get_group_id(0) + 1] = inverse;
  }
}

ROW_KERNEL void layer_norm_backward_input(__global const stored *restrict x,
                                          __global const float *restrict weight,
                                          __global const float *restrict statistics,
                                          __global const stored *restrict gy,
                                          __global stored *restrict gx, int count, int adds) {
  ROW_SCRATCH
  size_t base = (size_t)get_group_id(0) * count;
  x += base;
  gy += base;
  gx += base;
  float mean = statistics[2 * get_group_id(0)];
  float inverse = statistics[2 * get_group_id(0) + 1];
  channels sum = 0;
  channels product = 0;
  FOR_EACH_CHANNEL(c, count) {
    channels inner = load_stored(gy + c, count - c, 0) * load_channels(weight + c, count - c, 0);
    sum += inner;
    product += inner * (load_stored(x + c, count - c, mean) - mean);
  }
  float offset = group_add(add_across(sum)) / (float)count;
  float slope = group_add(add_across(product)) * inverse / (float)count;
  FOR_EACH_CHANNEL(c, count) {
    channels inner = load_stored(gy + c, count - c, 0) * load_channels(weight + c, count - c, 0);
    channels normal = (load_stored(x + c, count - c, mean) - mean) * inverse;
    channels gradient = inverse * (inner - offset - normal * slope);
    if (adds)
      gradient += load_stored(gx + c, count - c, 0);
    store_stored(gradient, gx + c, count - c);
  }
}

// partial[g, 0, c] = sum of gy, partial[g, 1, c] = sum of gy * n over the rows of the block
ROW_KERNEL void layer_norm_backward_weight(__global const stored *restrict x,
                                           __global const float *restrict statistics,
                                           __global const stored *restrict gy,
                                           __global float *restrict partial, int rows, int count,
                                           int block) {
  SUM_SCRATCH
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  __global float *out = partial + (size_t)get_group_id(0) * 2 * count;
  FOR_EACH_SHARED_COLUMN(c, count) {
    int left = count - c;
    channels sum = 0;
    channels product = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left) {
      size_t at = (size_t)r * count + c;
      channels gradient = load_stored(gy + at, left, 0);
      float mean = statistics[2 * r];
      float inverse = statistics[2 * r + 1];
      sum += gradient;
      product += gradient * ((load_stored(x + at, left, mean) - mean) * inverse);
    }
    sum = add_over_rows(sum);
    product = add_over_rows(product);
    if (STORES_SUM(left)) {
      store_channels(sum, out + c, left);
      store_channels(product, out + count + c, left);
    }
  }
}

ROW_KERNEL void layer_norm_backward_weight_fold(__global const float *restrict partial,
                                                __global float *restrict gbias,
                                                __global float *restrict gweight,
                                                __global float *restrict bias_total,
                                                __global float *restrict weight_total, int blocks,
                                                int count) {
  SUM_SCRATCH
  fold_block_pairs(partial, gbias, gweight, bias_total, weight_total, blocks, count);
}
