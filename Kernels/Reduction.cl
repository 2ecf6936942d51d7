// Sums over a whole tensor and over its rows, and their gradients.
//
// What:    reduction_sum:      y[g] = scale * sum of x[g * block ..< (g + 1) * block]
//          reduction_columns:  y[g, c] = sum over r of x[g * rows_per_group + r, c]; with `adds`, on
//          devices other than CPUs, it is added to what y holds
// Layout:  dense; x of reduction_columns is [rows, columns], row-major.
// Launch:  reduction_sum_forward: a row kernel of Common/Launch.clh, one work-group for each y.
//          reduction_columns_forward: groups (row groups, ceil(columns / COLUMN_BLOCK)) of LANES
//          items; a group owns COLUMN_BLOCK columns: 128 on a CPU, LANES elsewhere.
// Parameters: STORAGE, how x of reduction_columns and its gradient lie in memory; sums are float.
// Numbers: float32. Large sums are made in several launches, so that no sum has more than 65536
//          terms a group; within a group 16 (CPU) or LANES partial sums, added up in a fixed order.
//          An empty sum is 0. Gradients are written.

#include "Common/Launch.clh"
#include "Common/Storage.clh"

#if DEVICE_IS_CPU
#define COLUMN_BLOCK 128
#else
#define COLUMN_BLOCK LANES
#endif

ROW_KERNEL void reduction_sum_forward(__global const float *restrict x, __global float *restrict y,
                                      float scale, int block, int count) {
  const int first = (int)get_group_id(0) * block;
  const int end = count - first < block ? count : first + block;
#if DEVICE_IS_CPU
  float16 sums = (float16)(0.0f);
  int i = first;
  for (; i + 16 <= end; i += 16)
    sums += vload16(0, x + i);
  float sum = sum_of_lanes(sums);
  for (; i < end; i++)
    sum += x[i];
#else
  ROW_SCRATCH
  float sum = 0.0f;
  for (int i = first + LANE; i < end; i += LANES)
    sum += x[i];
  sum = group_add(sum);
#endif
  if (LANE == 0)
    y[get_group_id(0)] = scale * sum;
}

// y[i] = scale * gradient[0]
__kernel void reduction_sum_backward(__global const float *restrict gradient,
                                     __global float *restrict y, float scale, int count) {
  const float value = scale * gradient[0];
  FOR_EACH_ELEMENT(i, count) y[i] = value;
}

ROW_KERNEL void reduction_columns_forward(__global const stored *restrict x,
                                          __global float *restrict y, int rows, int columns,
                                          int rows_per_group, int adds) {
  const int column = (int)get_group_id(1) * COLUMN_BLOCK;
  const int first = (int)get_group_id(0) * rows_per_group;
  const int end = min(rows, first + rows_per_group);
  x += column;
  y += (size_t)get_group_id(0) * columns + column;
  const int count = min(COLUMN_BLOCK, columns - column);
#if DEVICE_IS_CPU
  int c = 0;
  for (; c + 64 <= count; c += 64) {
    float16 a = (float16)(0.0f), b = a, d = a, e = a;
    for (int r = first; r < end; r++) {
      __global const stored *row = x + (size_t)r * columns + c;
      a += load_elements_16(row);
      b += load_elements_16(row + 16);
      d += load_elements_16(row + 32);
      e += load_elements_16(row + 48);
    }
    vstore16(a, 0, y + c);
    vstore16(b, 1, y + c);
    vstore16(d, 2, y + c);
    vstore16(e, 3, y + c);
  }
  for (; c < count; c++) {
    float sum = 0.0f;
    for (int r = first; r < end; r++)
      sum += load_element(x + (size_t)r * columns + c);
    y[c] = sum;
  }
#else
  // Lanes that share a row; where columns are few, several rows are added up at once.
  __local float sums[LANES];
  int across = LANES;
  while (across / 2 >= count && across > 1)
    across /= 2;
  const int c = LANE % across;
  float sum = 0.0f;
  for (int r = first + LANE / across; r < end; r += LANES / across)
    sum += c < count ? load_element(x + (size_t)r * columns + c) : 0.0f;
  sums[LANE] = sum;
  for (int step = LANES / 2; step >= across; step /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (LANE < step)
      sums[LANE] += sums[LANE + step];
  }
  if (LANE < count)
    y[LANE] = sums[LANE] + (adds ? y[LANE] : 0.0f);
#endif
}

// y[r, c] = gradient[c]; a work-group owns a row.
ROW_KERNEL void reduction_columns_backward(__global const float *restrict gradient,
                                           __global stored *restrict y, int columns) {
  y += (size_t)get_group_id(0) * columns;
  for (int c = LANE; c < columns; c += LANES)
    store_element(gradient[c], y + c);
}
