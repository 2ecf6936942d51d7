// Sums over a whole tensor and over its rows, and their gradients.
//
// What:    reduction_sum:      y[g] = scale * sum of x[g * block ..< (g + 1) * block]
//          reduction_columns:  y[g, c] = sum over r of x[g * rows_per_group + r, c]; with `adds`, on
//          devices other than CPUs, it is added to what y holds; with LAST_GROUP these are the rows of
//          `partial` and y[c] is the sum of all
// Layout:  dense; x of reduction_columns is [rows, columns], row-major.
// Launch:  reduction_sum_forward: a row kernel of Common/Launch.clh, one work-group for each y.
//          reduction_columns_forward: groups (row groups, ceil(columns / COLUMN_BLOCK)) of one item
//          on a CPU, elsewhere (row groups, slabs of columns) of LANES (Common/Channels.clh).
// Parameters: STORAGE, how x of reduction_columns and its gradient lie in memory; sums are float;
//          LAST_GROUP: 1 where the last work-group of a slab adds up its groups
//          (Common/LastGroup.clh); counters has an int for each slab.
// Numbers: float32. Large sums are made in several steps, so that no sum has more than 65536
//          terms a group; within a group 16 (CPU) or LANES partial sums, added up in a fixed order.
//          An empty sum is 0. Gradients are written.

#include "Common/Channels.clh"
#include "Common/LastGroup.clh"

#define COLUMN_BLOCK 128

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

#if LAST_GROUP
#define FOLD_PARAMETERS , __global float *partial, __global int *counters
#else
#define FOLD_PARAMETERS
#endif

ROW_KERNEL void reduction_columns_forward(__global const stored *restrict x,
                                          __global float *restrict y, int rows, int columns,
                                          int rows_per_group, int adds FOLD_PARAMETERS) {
  const int first = (int)get_group_id(0) * rows_per_group;
  const int end = min(rows, first + rows_per_group);
#if DEVICE_IS_CPU
  const int column = (int)get_group_id(1) * COLUMN_BLOCK;
  x += column;
  y += (size_t)get_group_id(0) * columns + column;
  const int count = min(COLUMN_BLOCK, columns - column);
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
  SUM_SCRATCH
  LAST_GROUP_FLAG
  FOR_EACH_SLAB_COLUMN(c, columns) {
    const int left = columns - c;
    channels sum = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left)
      sum += load_stored(x + (size_t)r * columns + c, left, 0);
    sum = add_over_rows(sum);
    int is_last = 1;
#if LAST_GROUP
    if (STORES_SUM(left))
      store_channels(sum, partial + (size_t)get_group_id(0) * columns + c, left);
    const int groups = (int)get_num_groups(0);
    is_last = is_last_group(counters + get_group_id(1), groups, &last_group_flag);
    sum = 0;
    FOR_EACH_SHARED_ROW(g, 0, groups, is_last ? left : 0)
      sum += load_channels(partial + (size_t)g * columns + c, left, 0);
    sum = add_over_rows(sum);
#else
    y += (size_t)get_group_id(0) * columns;
#endif
    if (is_last && STORES_SUM(left)) {
      if (adds)
        sum += load_channels(y + c, left, 0);
      store_channels(sum, y + c, left);
    }
  }
#endif
}

// y[r, c] = gradient[c]; a work-group owns a row.
ROW_KERNEL void reduction_columns_backward(__global const float *restrict gradient,
                                           __global stored *restrict y, int columns) {
  y += (size_t)get_group_id(0) * columns;
  for (int c = LANE; c < columns; c += LANES)
    store_element(gradient[c], y + c);
}
