// Batch normalisation, with batch or running statistics, fused with a residual sum and ReLU.
//
// What:    y[r, c] = act((x[r, c] - mean[c]) * inverse[c] * weight[c] + bias[c] + residual[r, c]),
//          inverse = 1 / sqrt(variance + epsilon); act = max(., 0) when `relu` is 1, else identity;
//          without a residual its pointer is null. Unfused: batch norm; add; pointwise_relu.
//          Backward: g = gy where act passes (y > 0), else 0;
//          gbias[c] = sum_r g, gweight[c] = sum_r g * n with n = (x - mean) * inverse;
//          batch statistics: gx = weight * inverse * (g - gbias / rows - n * gweight / rows);
//          running statistics: gx = weight * inverse * g; gresidual = g.
// Layout:  x, y, residual and their gradients [rows, count], rows = all positions of all images;
//          mean, inverse, weight, bias, gbias, gweight [count]; partial [blocks, 2, count].
// Launch:  a work-group owns the rows [g * block, (g + 1) * block), g = get_group_id(0); the folds
//          have a group for every CHANNEL_WIDTH channels; inverse: ceil(count / CHANNEL_STEP) groups.
// Parameters: STORAGE, how x, y, residual and their gradients lie in memory; the rest is float.
// Numbers: float32. Each block takes its mean, summed about its first row, and then the squares
//          about it; blocks are joined about the mean of all, so a large mean costs no digits.
//          Orders are fixed. Gradients are written. Running values move in place, the variance with
//          divisor max(rows - 1, 1).
// Source:  Ioffe and Szegedy 2015; behaviour of PyTorch's batch_norm.

#include "Common/Channels.clh"

// partial[g, 0, c] = mean over the block, partial[g, 1, c] = sum of squares about it
ROW_KERNEL void batch_norm_statistics(__global const stored *restrict x,
                                      __global float *restrict partial, int rows, int count,
                                      int block) {
  SUM_SCRATCH
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  __global float *out = partial + (size_t)get_group_id(0) * 2 * count;
  FOR_EACH_SHARED_COLUMN(c, count) {
    int left = count - c;
    channels origin = left > 0 ? load_stored(x + (size_t)first * count + c, left, 0) : (channels)0;
    channels sum = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left)
      sum += load_stored(x + (size_t)r * count + c, left, 0) - origin;
    channels mean = origin + add_over_rows(sum) / (float)(end - first);
    channels squares = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left) {
      channels distance = load_stored(x + (size_t)r * count + c, left, 0) - mean;
      squares += distance * distance;
    }
    squares = add_over_rows(squares);
    if (STORES_SUM(left)) {
      store_channels(mean, out + c, left);
      store_channels(squares, out + count + c, left);
    }
  }
}

// Joins the blocks; moves the running statistics in place.
ROW_KERNEL void batch_norm_statistics_fold(__global const float *restrict partial,
                                           __global float *restrict mean,
                                           __global float *restrict inverse,
                                           __global float *restrict running_mean,
                                           __global float *restrict running_variance, int rows,
                                           int count, int block, float momentum, float epsilon) {
  SUM_SCRATCH
  int c = (int)get_group_id(0) * CHANNEL_WIDTH;
  int left = count - c;
  int blocks = (rows + block - 1) / block;
  channels origin = load_channels(partial + c, left, 0);
  channels shift = 0;
  for (int b = LANE; b < blocks; b += LANES) {
    float size = (float)min(block, rows - b * block);
    shift += size * (load_channels(partial + (size_t)b * 2 * count + c, left, 0) - origin);
  }
  channels centre = origin + add_over_lanes(shift) / (float)rows;
  channels squares = 0;
  for (int b = LANE; b < blocks; b += LANES) {
    __global const float *values = partial + (size_t)b * 2 * count + c;
    float size = (float)min(block, rows - b * block);
    channels distance = load_channels(values, left, 0) - centre;
    squares += load_channels(values + count, left, 0) + size * distance * distance;
  }
  squares = add_over_lanes(squares);
  if (LANE == 0) {
    channels unbiased = squares / (float)max(rows - 1, 1);
    store_channels(centre, mean + c, left);
    store_channels(1.0f / sqrt(squares / (float)rows + epsilon), inverse + c, left);
    channels old_mean = load_channels(running_mean + c, left, 0);
    channels old_variance = load_channels(running_variance + c, left, 0);
    store_channels(old_mean + momentum * (centre - old_mean), running_mean + c, left);
    store_channels(old_variance + momentum * (unbiased - old_variance), running_variance + c, left);
  }
}

// inverse = 1 / sqrt(variance + epsilon)
ROW_KERNEL void batch_norm_inverse(__global const float *restrict variance,
                                   __global float *restrict inverse, float epsilon, int count) {
  int c = (int)get_group_id(0) * CHANNEL_STEP + LANE * CHANNEL_WIDTH;
  if (c < count) {
    channels value = load_channels(variance + c, count - c, 1);
    store_channels(1.0f / sqrt(value + epsilon), inverse + c, count - c);
  }
}

ROW_KERNEL void batch_norm_forward(__global const stored *restrict x,
                                   __global const float *restrict mean,
                                   __global const float *restrict inverse,
                                   __global const float *restrict weight,
                                   __global const float *restrict bias,
                                   __global const stored *restrict residual,
                                   __global stored *restrict y, int rows, int count, int block,
                                   int relu) {
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  FOR_EACH_ROW(r, first, end, count) {
    size_t base = (size_t)r * count;
    FOR_EACH_CHANNEL_OF_ROW(c, count) {
      int left = count - c;
      channels scale = load_channels(inverse + c, left, 0) * load_channels(weight + c, left, 0);
      channels distance = load_stored(x + base + c, left, 0) - load_channels(mean + c, left, 0);
      channels value = distance * scale + load_channels(bias + c, left, 0);
      if (residual)
        value += load_stored(residual + base + c, left, 0);
      // Not fmax: NaN stays NaN.
      if (relu)
        value = value <= 0 ? (channels)0 : value;
      store_stored(value, y + base + c, left);
    }
  }
}

// The gradient before act.
static inline channels unactivated(__global const stored *gy, __global const stored *y, size_t at,
                                   int left, int relu) {
  channels gradient = load_stored(gy + at, left, 0);
  if (relu)
    gradient = load_stored(y + at, left, 0) > 0 ? gradient : (channels)0;
  return gradient;
}

// partial[g, 0, c] = sum of g, partial[g, 1, c] = sum of g * n over the rows of the block
ROW_KERNEL void batch_norm_backward_weight(__global const stored *restrict x,
                                           __global const stored *restrict y,
                                           __global const stored *restrict gy,
                                           __global const float *restrict mean,
                                           __global const float *restrict inverse,
                                           __global float *restrict partial, int rows, int count,
                                           int block, int relu) {
  SUM_SCRATCH
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  __global float *out = partial + (size_t)get_group_id(0) * 2 * count;
  FOR_EACH_SHARED_COLUMN(c, count) {
    int left = count - c;
    channels centre = left > 0 ? load_channels(mean + c, left, 0) : (channels)0;
    channels sum = 0;
    channels product = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left) {
      size_t at = (size_t)r * count + c;
      channels gradient = unactivated(gy, y, at, left, relu);
      sum += gradient;
      product += gradient * (load_stored(x + at, left, 0) - centre);
    }
    sum = add_over_rows(sum);
    product = add_over_rows(product);
    if (STORES_SUM(left)) {
      store_channels(sum, out + c, left);
      store_channels(product * load_channels(inverse + c, left, 0), out + count + c, left);
    }
  }
}

ROW_KERNEL void batch_norm_backward_weight_fold(__global const float *restrict partial,
                                                __global float *restrict gbias,
                                                __global float *restrict gweight, int blocks,
                                                int count) {
  SUM_SCRATCH
  fold_block_pairs(partial, gbias, gweight, blocks, count);
}

// gx and gresidual; either may be null. Running statistics: gbias, gweight, x and mean are null.
ROW_KERNEL void batch_norm_backward_input(
    __global const stored *restrict x, __global const stored *restrict y,
    __global const stored *restrict gy, __global const float *restrict mean,
    __global const float *restrict inverse, __global const float *restrict weight,
    __global const float *restrict gbias, __global const float *restrict gweight,
    __global stored *restrict gx, __global stored *restrict gresidual, int rows, int count, int block, int relu) {
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  float share = 1.0f / (float)rows;
  FOR_EACH_ROW(r, first, end, count) {
    FOR_EACH_CHANNEL_OF_ROW(c, count) {
      int left = count - c;
      size_t at = (size_t)r * count + c;
      channels gradient = unactivated(gy, y, at, left, relu);
      if (gresidual)
        store_stored(gradient, gresidual + at, left);
      if (gx) {
        channels scale = load_channels(inverse + c, left, 0);
        if (gbias) {
          channels distance = load_stored(x + at, left, 0) - load_channels(mean + c, left, 0);
          channels slope = load_channels(gweight + c, left, 0) * share;
          gradient -= load_channels(gbias + c, left, 0) * share + distance * scale * slope;
        }
        store_stored(gradient * scale * load_channels(weight + c, left, 0), gx + at, left);
      }
    }
  }
}
