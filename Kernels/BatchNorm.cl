// Batch normalisation, with batch or running statistics, fused with a residual sum and ReLU.
//
// What:    y[r, c] = act((x[r, c] - mean[c]) * inverse[c] * weight[c] + bias[c] + residual[r, c]),
//          inverse = 1 / sqrt(variance + epsilon); act = max(., 0) when `relu` is 1, else identity;
//          without a residual its pointer is null. Unfused: batch norm; add; pointwise_relu.
//          Backward: g = gy where act passes (y > 0), else 0;
//          gbias[c] = sum_r g, gweight[c] = sum_r g * n with n = (x - mean) * inverse;
//          batch statistics: gx = weight * inverse * (g - share * (gbias + n * gweight)), with share
//          1 / rows; of several devices sums and share are those of all of them;
//          running statistics: gx = weight * inverse * g; gresidual = g. gbias and gweight are added
//          to totals as well, where these are not null.
// Layout:  x, y, residual and their gradients [rows, count], rows = all positions of all images;
//          mean, rest, inverse, weight, bias, gbias, gweight [count]; partial [blocks, 2, count],
//          with SPLIT_MEAN [blocks, 3, count].
// Launch:  a work-group owns the rows [g * block, (g + 1) * block), g = get_group_id(0), of sums on a
//          GPU in the slab get_group_id(1) of their columns; the folds have a group for every
//          CHANNEL_WIDTH channels; inverse and join: ceil(count / CHANNEL_STEP) groups.
// Parameters: STORAGE, how x, y, residual and their gradients lie in memory; the rest is float.
//          SPLIT_MEAN: 1 where statistics are those of several devices: means are carried as a float
//          and its remainder `rest`, and sums over rows with theirs; 0 elsewhere, `rest` is null.
//          LAST_GROUP: 1 where the last work-group of a slab folds its blocks (Common/LastGroup.clh);
//          counters has an int for each slab.
// Numbers: float32. Each block takes its mean, summed about its first row, and then the squares
//          about it (GPUs: about the first row, in the same pass); blocks are joined about the mean
//          of all, so a large mean costs no digits of the variance. A mean of a thousand deviations
//          is off by up to 6e-5 of them as a float alone; with SPLIT_MEAN nothing of it is lost.
//          Orders are fixed. Gradients are written. Running values move in place, the variance with
//          divisor max(rows - 1, 1).
// Source:  Ioffe and Szegedy 2015; behaviour of PyTorch's batch_norm.

#include "Common/Channels.clh"
#include "Common/ColumnStatistics.clh"
#include "Common/LastGroup.clh"

// `partial` is not `restrict`: other groups write what is read of it.
#if LAST_GROUP
#define STATISTICS_FOLD_PARAMETERS                                                                 \
  , __global float *restrict mean, __global float *restrict inverse,                               \
      __global float *restrict running_mean, __global float *restrict running_variance,            \
      float momentum, float epsilon, __global int *counters
#define WEIGHT_FOLD_PARAMETERS                                                                     \
  , __global float *restrict gbias, __global float *restrict gweight,                              \
      __global float *restrict bias_total, __global float *restrict weight_total,                  \
      __global int *counters
#else
#define STATISTICS_FOLD_PARAMETERS
#define WEIGHT_FOLD_PARAMETERS
#endif

// partial[g, 0, c] = mean over the block, partial[g, 1, c] = sum of squares about it, and
// partial[g, 2, c] = what the mean's float leaves over
ROW_KERNEL void batch_norm_statistics(__global const stored *restrict x,
                                      __global float *partial, int rows, int count,
                                      int block STATISTICS_FOLD_PARAMETERS) {
  SUM_SCRATCH
  LAST_GROUP_FLAG
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  __global float *out = partial + (size_t)get_group_id(0) * BLOCK_SUMS * count;
  FOR_EACH_SLAB_COLUMN(c, count) {
    int left = count - c;
    channels origin = left > 0 ? load_stored(x + (size_t)first * count + c, left, 0) : (channels)0;
    channels sum = 0, lost = 0;
    channels squares = 0, lost_squares = 0;
#if DEVICE_IS_CPU
    FOR_EACH_SHARED_ROW(r, first, end, left)
      ADD(load_stored(x + (size_t)r * count + c, left, 0) - origin, sum, lost);
    channels shift = add_over_rows(sum) / (float)(end - first);
    channels centre = origin + shift;
    channels rest = rest_of_sum(origin, shift, centre);
    FOR_EACH_SHARED_ROW(r, first, end, left) {
      channels distance =
          distance_from(load_stored(x + (size_t)r * count + c, left, 0), centre, rest);
      ADD(distance * distance, squares, lost_squares);
    }
#else
    // Reading twice would cost more than the digits that squares about the first row lose.
    FOR_EACH_SHARED_ROW(r, first, end, left) {
      channels distance = load_stored(x + (size_t)r * count + c, left, 0) - origin;
      ADD(distance, sum, lost);
      ADD(distance * distance, squares, lost_squares);
    }
    sum = add_over_rows(sum);
    squares = add_over_rows(squares) - sum * sum / (float)(end - first);
    // Not fmax: NaN stays NaN.
    squares = squares < 0 ? (channels)0 : squares;
    channels shift = sum / (float)(end - first);
    channels centre = origin + shift;
    channels rest = rest_of_sum(origin, shift, centre);
#endif
    if (STORES_SUM(left)) {
      store_channels(centre, out + c, left);
      store_channels(squares, out + count + c, left);
#if SPLIT_MEAN
      store_channels(rest, out + 2 * count + c, left);
#endif
    }
#if LAST_GROUP
    int is_last =
        is_last_group(counters + get_group_id(1), (int)get_num_groups(0), &last_group_flag);
    fold_statistics(partial, mean, inverse, running_mean, running_variance, 0, rows, count, block,
                    momentum, epsilon, c, across, is_last SUM_SCRATCH_ARGUMENT);
#endif
  }
}

// Joins the blocks; see fold_statistics.
ROW_KERNEL void batch_norm_statistics_fold(__global const float *restrict partial,
                                           __global float *restrict mean,
                                           __global float *restrict inverse,
                                           __global float *restrict running_mean,
                                           __global float *restrict running_variance,
                                           __global float *restrict sums, int rows, int count,
                                           int block, float momentum, float epsilon) {
  SUM_SCRATCH
  fold_statistics(partial, mean, inverse, running_mean, running_variance, sums, rows, count, block,
                  momentum, epsilon, (int)get_group_id(0) * CHANNEL_WIDTH, 1,
                  1 SUM_SCRATCH_ARGUMENT);
}

// Takes over the statistics of several devices, joined[0] the mean and joined[1] the variance; moves
// the running statistics in place, the variance times `unbias`.
ROW_KERNEL void batch_norm_statistics_join(__global const float *restrict joined,
                                           __global float *restrict mean,
                                           __global float *restrict inverse,
                                           __global float *restrict running_mean,
                                           __global float *restrict running_variance, int count,
                                           float momentum, float epsilon, float unbias) {
  int c = (int)get_group_id(0) * CHANNEL_STEP + LANE * CHANNEL_WIDTH;
  if (c < count) {
    int left = count - c;
    channels centre = load_channels(joined + c, left, 0);
    channels variance = load_channels(joined + count + c, left, 0);
    store_channels(centre, mean + c, left);
    store_channels(1.0f / sqrt(variance + epsilon), inverse + c, left);
    channels old_mean = load_channels(running_mean + c, left, 0);
    channels old_variance = load_channels(running_variance + c, left, 0);
    store_channels(old_mean + momentum * (centre - old_mean), running_mean + c, left);
    store_channels(old_variance + momentum * (variance * unbias - old_variance),
                   running_variance + c, left);
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

// What belongs to a column.
typedef struct {
  channels mean, rest, scale, bias;
} ColumnNorm;

static inline ColumnNorm column_norm(__global const float *mean, __global const float *rest,
                                     __global const float *inverse, __global const float *weight,
                                     __global const float *bias, int c, int left) {
  ColumnNorm norm = {
      load_channels(mean + c, left, 0),
      load_rest(rest, c, left),
      load_channels(inverse + c, left, 0) * load_channels(weight + c, left, 0),
      load_channels(bias + c, left, 0),
  };
  return norm;
}

static inline channels normalised(ColumnNorm norm, __global const stored *x,
                                  __global const stored *residual, size_t at, int left, int relu) {
  channels distance = distance_from(load_stored(x + at, left, 0), norm.mean, norm.rest);
  channels value = distance * norm.scale + norm.bias;
  if (residual)
    value += load_stored(residual + at, left, 0);
  // Not fmax: NaN stays NaN.
  if (relu)
    value = value <= 0 ? (channels)0 : value;
  return value;
}

ROW_KERNEL void batch_norm_forward(__global const stored *restrict x,
                                   __global const float *restrict mean,
                                   __global const float *restrict rest,
                                   __global const float *restrict inverse,
                                   __global const float *restrict weight,
                                   __global const float *restrict bias,
                                   __global const stored *restrict residual,
                                   __global stored *restrict y, int rows, int count, int block,
                                   int relu) {
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
#if DEVICE_IS_CPU
  FOR_EACH_ROW(r, first, end, count) {
    FOR_EACH_CHANNEL_OF_ROW(c, count) {
      int left = count - c;
      size_t at = (size_t)r * count + c;
      ColumnNorm norm = column_norm(mean, rest, inverse, weight, bias, c, left);
      store_stored(normalised(norm, x, residual, at, left, relu), y + at, left);
    }
  }
#else
  FOR_EACH_COLUMN(c, count) {
    int left = count - c;
    const ColumnNorm norm = column_norm(mean, rest, inverse, weight, bias, c, left);
    FOR_EACH_ROW_OF_COLUMN(r, first, end) {
      size_t at = (size_t)r * count + c;
      store_stored(normalised(norm, x, residual, at, left, relu), y + at, left);
    }
  }
#endif
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
                                           __global const float *restrict rest,
                                           __global const float *restrict inverse,
                                           __global float *partial, int rows, int count,
                                           int block, int relu WEIGHT_FOLD_PARAMETERS) {
  SUM_SCRATCH
  LAST_GROUP_FLAG
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  __global float *out = partial + (size_t)get_group_id(0) * 2 * count;
  FOR_EACH_SLAB_COLUMN(c, count) {
    int left = count - c;
    channels centre = left > 0 ? load_channels(mean + c, left, 0) : (channels)0;
    channels rest_of_centre = left > 0 ? load_rest(rest, c, left) : (channels)0;
    channels sum = 0;
    channels product = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left) {
      size_t at = (size_t)r * count + c;
      channels gradient = unactivated(gy, y, at, left, relu);
      sum += gradient;
      product +=
          gradient * distance_from(load_stored(x + at, left, 0), centre, rest_of_centre);
    }
    sum = add_over_rows(sum);
    product = add_over_rows(product);
    if (STORES_SUM(left)) {
      store_channels(sum, out + c, left);
      store_channels(product * load_channels(inverse + c, left, 0), out + count + c, left);
    }
#if LAST_GROUP
    int blocks = (int)get_num_groups(0);
    int is_last = is_last_group(counters + get_group_id(1), blocks, &last_group_flag);
    fold_block_pairs_(partial, gbias, gweight, bias_total, weight_total, blocks, count, c, across,
                      is_last SUM_SCRATCH_ARGUMENT);
#endif
  }
}

ROW_KERNEL void batch_norm_backward_weight_fold(__global const float *restrict partial,
                                                __global float *restrict gbias,
                                                __global float *restrict gweight,
                                                __global float *restrict bias_total,
                                                __global float *restrict weight_total, int blocks,
                                                int count) {
  SUM_SCRATCH
  fold_block_pairs(partial, gbias, gweight, bias_total, weight_total, blocks, count);
}

// What belongs to a column; without batch statistics offset and slope are not looked at.
typedef struct {
  channels mean, rest, scale, weight, offset, slope;
} ColumnGradient;

static inline ColumnGradient column_gradient(__global const float *mean,
                                             __global const float *rest,
                                             __global const float *inverse,
                                             __global const float *weight,
                                             __global const float *gbias,
                                             __global const float *gweight, float share, int c,
                                             int left) {
  ColumnGradient column = {0, 0, load_channels(inverse + c, left, 0),
                           load_channels(weight + c, left, 0), 0, 0};
  if (gbias) {
    column.mean = load_channels(mean + c, left, 0);
    column.rest = load_rest(rest, c, left);
    column.offset = load_channels(gbias + c, left, 0);
    column.slope = load_channels(gweight + c, left, 0) * share;
  }
  return column;
}

// Writes the gradients of x and of the residual at an element; either may be null.
static inline void store_gradients(ColumnGradient column, __global const stored *x,
                                   __global const stored *y, __global const stored *gy,
                                   __global stored *gx, __global stored *gresidual,
                                   int through_statistics, float share, size_t at, int left,
                                   int relu) {
  channels gradient = unactivated(gy, y, at, left, relu);
  if (gresidual)
    store_stored(gradient, gresidual + at, left);
  if (gx) {
    if (through_statistics) {
      channels distance = distance_from(load_stored(x + at, left, 0), column.mean, column.rest);
      gradient -= column.offset * share + distance * column.scale * column.slope;
    }
    store_stored(gradient * column.scale * column.weight, gx + at, left);
  }
}

// gx and gresidual; either may be null. Running statistics: gbias, gweight, x and mean are null.
ROW_KERNEL void batch_norm_backward_input(
    __global const stored *restrict x, __global const stored *restrict y,
    __global const stored *restrict gy, __global const float *restrict mean,
    __global const float *restrict rest, __global const float *restrict inverse,
    __global const float *restrict weight, __global const float *restrict gbias,
    __global const float *restrict gweight, __global stored *restrict gx,
    __global stored *restrict gresidual, int rows, int count, int block, int relu, float share) {
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  const int through_statistics = gbias != 0;
#if DEVICE_IS_CPU
  FOR_EACH_ROW(r, first, end, count) {
    FOR_EACH_CHANNEL_OF_ROW(c, count) {
      int left = count - c;
      ColumnGradient column =
          column_gradient(mean, rest, inverse, weight, gbias, gweight, share, c, left);
      store_gradients(column, x, y, gy, gx, gresidual, through_statistics, share,
                      (size_t)r * count + c, left, relu);
    }
  }
#else
  FOR_EACH_COLUMN(c, count) {
    int left = count - c;
    const ColumnGradient column =
        column_gradient(mean, rest, inverse, weight, gbias, gweight, share, c, left);
    FOR_EACH_ROW_OF_COLUMN(r, first, end)
      store_gradients(column, x, y, gy, gx, gresidual, through_statistics, share,
                      (size_t)r * count + c, left, relu);
  }
#endif
}
