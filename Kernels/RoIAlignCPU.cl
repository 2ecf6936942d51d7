// RoIAlign for CPUs; the same formula and layout as RoIAlign.cl.
//
// What:    sample weights are products of one weight a row and one a column, so a bin is a sum over
//          few (row, column) entries: samples that share a row or column share the load.
// Layout:  as in RoIAlign.cl. Local memory is the scratch of the one work-item: `ints` holds
//          pooled_width + 1 starts and the cells of columns and rows, `floats` their weights; the
//          bins of an axis have at most `capacity` entries.
// Launch:  one launch a pyramid level. forward_cpu and forward_span_cpu: a work-item owns (band of
//          output rows, region). backward_cpu: it owns (SLICE channels, band of map rows, image),
//          clears its part of grad_x and walks all regions, so no atomics are needed.
// Numbers: float32; fixed sum order; gradients are written, not added to. x and y are activations
//          (Common/Storage.clh); gradients are float32, as cells are added to many times.
// Source:  as in RoIAlign.cl.

#include "Common/Storage.clh"
#include "Common/Vectors.clh"
#include "RoIAlignGeometry.clh"

#if DEVICE_IS_CPU

#define CPU_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))

static inline int put_entry(__local int *cells, __local float *weights, int begin, int end,
                            int cell, float weight) {
  // Samples advance by at most a cell or so: an equal cell is one of the last two.
  for (int e = end - 1; e >= begin && e >= end - 2; e--) {
    if (cells[e] == cell) {
      weights[e] += weight;
      return end;
    }
  }
  cells[end] = cell;
  weights[end] = weight;
  return end + 1;
}

// Appends the (cell, weight) entries of one bin of an axis from `begin`; returns their end.
static inline int put_bin(Axis axis, int bin, __local int *cells, __local float *weights,
                          int begin) {
  int end = begin;
  for (int k = 0; k < axis.samples; k++) {
    int low, high;
    float fraction;
    if (!sample_at(axis, bin, k, &low, &high, &fraction))
      continue;
    end = put_entry(cells, weights, begin, end, low, 1.0f - fraction);
    if (fraction != 0.0f)
      end = put_entry(cells, weights, begin, end, high, fraction);
  }
  return end;
}

// The entries of all bins of an axis; those of bin i are starts[i]..<starts[i + 1].
static inline void put_bins(Axis axis, int bins, __local int *starts, __local int *cells,
                            __local float *weights) {
  starts[0] = 0;
  for (int i = 0; i < bins; i++)
    starts[i + 1] = put_bin(axis, i, cells, weights, starts[i]);
}

// y for maps of many channels: 64, 16 or 1 at a time.
CPU_KERNEL void roi_align_forward_cpu(__global const stored *restrict x,
                                      __global const float *restrict rois,
                                      __global const int *restrict place,
                                      __global stored *restrict y, __local int *ints,
                                      __local float *floats, int capacity, int rows_per_group,
                                      int level, int height, int width, int channels,
                                      int pooled_height, int pooled_width, float scale, int ratio,
                                      int aligned) {
  int r = (int)get_group_id(1);
  if (place[2 * r] != level)
    return;
  int image = place[2 * r + 1];
  __global const float *roi = rois + 5 * r;
  Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
  Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
  if (image < 0)
    rows.samples = 0;
  __global const stored *map = x + (size_t)max(image, 0) * height * width * channels;
  __local int *starts = ints, *column_cells = starts + pooled_width + 1;
  __local int *row_cells = column_cells + capacity;
  __local float *column_weights = floats, *row_weights = floats + capacity;
  put_bins(columns, pooled_width, starts, column_cells, column_weights);
  float factor = sample_scale(rows, columns);
  int first = (int)get_group_id(0) * rows_per_group;
  for (int i = first; i < min(first + rows_per_group, pooled_height); i++) {
    int row_count = put_bin(rows, i, row_cells, row_weights, 0);
    for (int j = 0; j < pooled_width; j++) {
      __global stored *out = y + (((size_t)r * pooled_height + i) * pooled_width + j) * channels;
      int c = 0;
      for (; c + 64 <= channels; c += 64) {
        float16 sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
        for (int a = 0; a < row_count; a++)
          for (int b = starts[j]; b < starts[j + 1]; b++) {
            float weight = row_weights[a] * column_weights[b];
            __global const stored *cell =
                map + (size_t)(row_cells[a] * width + column_cells[b]) * channels + c;
            sum0 = multiply_add((float16)weight, load_elements_16(cell), sum0);
            sum1 = multiply_add((float16)weight, load_elements_16(cell + 16), sum1);
            sum2 = multiply_add((float16)weight, load_elements_16(cell + 32), sum2);
            sum3 = multiply_add((float16)weight, load_elements_16(cell + 48), sum3);
          }
        store_elements_16(sum0 * factor, out + c);
        store_elements_16(sum1 * factor, out + c + 16);
        store_elements_16(sum2 * factor, out + c + 32);
        store_elements_16(sum3 * factor, out + c + 48);
      }
      for (; c + 16 <= channels; c += 16) {
        float16 sum = 0.0f;
        for (int a = 0; a < row_count; a++)
          for (int b = starts[j]; b < starts[j + 1]; b++)
            sum = multiply_add(
                (float16)(row_weights[a] * column_weights[b]),
                load_elements_16(map + (size_t)(row_cells[a] * width + column_cells[b]) * channels +
                                 c),
                sum);
        store_elements_16(sum * factor, out + c);
      }
      for (; c < channels; c++) {
        float sum = 0.0f;
        for (int a = 0; a < row_count; a++)
          for (int b = starts[j]; b < starts[j + 1]; b++)
            sum += row_weights[a] * column_weights[b] *
                   load_element(map + (size_t)(row_cells[a] * width + column_cells[b]) * channels +
                                c);
        store_element(sum * factor, out + c);
      }
    }
  }
}

// y for maps of few channels, crops of images above all: the rows of a bin are first added up over
// the columns that the region spans (contiguous, so in vectors), then the columns of each bin.
// `floats` also holds one row of the map.
CPU_KERNEL void roi_align_forward_span_cpu(__global const stored *restrict x,
                                           __global const float *restrict rois,
                                           __global const int *restrict place,
                                           __global stored *restrict y, __local int *ints,
                                           __local float *floats, int capacity, int rows_per_group,
                                           int level, int height, int width, int channels,
                                           int pooled_height, int pooled_width, float scale,
                                           int ratio, int aligned) {
  int r = (int)get_group_id(1);
  if (place[2 * r] != level)
    return;
  int image = place[2 * r + 1];
  __global const float *roi = rois + 5 * r;
  Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
  Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
  if (image < 0)
    rows.samples = 0;
  __global const stored *map = x + (size_t)max(image, 0) * height * width * channels;
  __local int *starts = ints, *column_cells = starts + pooled_width + 1;
  __local int *row_cells = column_cells + capacity;
  __local float *column_weights = floats, *row_weights = floats + capacity;
  __local float *span = row_weights + capacity;
  put_bins(columns, pooled_width, starts, column_cells, column_weights);
  int left = width, right = -1;
  for (int b = 0; b < starts[pooled_width]; b++) {
    left = min(left, column_cells[b]);
    right = max(right, column_cells[b]);
    column_cells[b] *= channels;
  }
  int from = left * channels, to = (right + 1) * channels;
  float factor = sample_scale(rows, columns);
  int first = (int)get_group_id(0) * rows_per_group;
  for (int i = first; i < min(first + rows_per_group, pooled_height); i++) {
    int row_count = put_bin(rows, i, row_cells, row_weights, 0);
    for (int e = from; e < to; e++)
      span[e] = 0.0f;
    for (int a = 0; a < row_count; a++) {
      __global const stored *row = map + (size_t)row_cells[a] * width * channels;
      float weight = row_weights[a] * factor;
      int e = from;
      for (; e + 16 <= to; e += 16)
        vstore16(multiply_add((float16)weight, load_elements_16(row + e), vload16(0, span + e)), 0,
                 span + e);
      for (; e < to; e++)
        span[e] = multiply_add(weight, load_element(row + e), span[e]);
    }
    __global stored *out = y + ((size_t)r * pooled_height + i) * pooled_width * channels;
    for (int j = 0; j < pooled_width; j++, out += channels) {
      if (channels == 3) {
        float3 sum = 0.0f;
        for (int b = starts[j]; b < starts[j + 1]; b++)
          sum = multiply_add((float3)column_weights[b], vload3(0, span + column_cells[b]), sum);
#if STORAGE == STORAGE_FLOAT32
        vstore3(sum, 0, out);
#else
        store_element(sum.x, out);
        store_element(sum.y, out + 1);
        store_element(sum.z, out + 2);
#endif
      } else {
        for (int c = 0; c < channels; c++) {
          float sum = 0.0f;
          for (int b = starts[j]; b < starts[j + 1]; b++)
            sum = multiply_add(column_weights[b], span[column_cells[b] + c], sum);
          store_element(sum, out + c);
        }
      }
    }
  }
}

// Channels of one work-group of backward_cpu.
#define SLICE 64

// grad_x without atomics: the group owns SLICE channels of a band of rows of one image.
CPU_KERNEL void roi_align_backward_cpu(__global const float *restrict grad_y,
                                       __global const float *restrict rois,
                                       __global const int *restrict place,
                                       __global float *restrict grad_x, __local int *ints,
                                       __local float *floats, int capacity, int rows_per_group,
                                       int level, int regions, int height, int width, int channels,
                                       int pooled_height, int pooled_width, float scale, int ratio,
                                       int aligned) {
  int from = (int)get_group_id(0) * SLICE, to = min(from + SLICE, channels);
  int top = (int)get_group_id(1) * rows_per_group, bottom = min(top + rows_per_group, height);
  int image = (int)get_group_id(2);
  __global float *map = grad_x + (size_t)image * height * width * channels;
  for (int cell = top * width; cell < bottom * width; cell++) {
    __global float *out = map + (size_t)cell * channels;
    int c = from;
    for (; c + 16 <= to; c += 16)
      vstore16((float16)0.0f, 0, out + c);
    for (; c < to; c++)
      out[c] = 0.0f;
  }
  __local int *starts = ints, *column_cells = starts + pooled_width + 1;
  __local int *row_cells = column_cells + capacity;
  __local float *column_weights = floats, *row_weights = floats + capacity;
  for (int r = 0; r < regions; r++) {
    if (place[2 * r] != level || place[2 * r + 1] != image)
      continue;
    __global const float *roi = rois + 5 * r;
    Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
    float start = rows.start, end = start + rows.bin * (float)pooled_height;
    if (fmin(start, end) > (float)bottom || fmax(start, end) < (float)(top - 1))
      continue;
    Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
    put_bins(columns, pooled_width, starts, column_cells, column_weights);
    float factor = sample_scale(rows, columns);
    for (int i = 0; i < pooled_height; i++) {
      int row_count = put_bin(rows, i, row_cells, row_weights, 0);
      for (int a = 0; a < row_count; a++) {
        if (row_cells[a] < top || row_cells[a] >= bottom)
          continue;
        __global float *row = map + (size_t)row_cells[a] * width * channels;
        float down = row_weights[a] * factor;
        __global const float *gradient =
            grad_y + ((size_t)r * pooled_height + i) * pooled_width * channels;
        for (int j = 0; j < pooled_width; j++, gradient += channels) {
          int c = from;
          for (; c + 64 <= to; c += 64) {
            float16 g0 = vload16(0, gradient + c) * down, g1 = vload16(1, gradient + c) * down;
            float16 g2 = vload16(2, gradient + c) * down, g3 = vload16(3, gradient + c) * down;
            for (int b = starts[j]; b < starts[j + 1]; b++) {
              float16 weight = column_weights[b];
              __global float *cell = row + (size_t)column_cells[b] * channels + c;
              vstore16(multiply_add(weight, g0, vload16(0, cell)), 0, cell);
              vstore16(multiply_add(weight, g1, vload16(1, cell)), 1, cell);
              vstore16(multiply_add(weight, g2, vload16(2, cell)), 2, cell);
              vstore16(multiply_add(weight, g3, vload16(3, cell)), 3, cell);
            }
          }
          for (int b = starts[j]; b < starts[j + 1]; b++) {
            float weight = down * column_weights[b];
            __global float *cell = row + (size_t)column_cells[b] * channels;
            int tail = c;
            for (; tail + 16 <= to; tail += 16)
              vstore16(multiply_add((float16)weight, vload16(0, gradient + tail),
                                    vload16(0, cell + tail)),
                       0, cell + tail);
            for (; tail < to; tail++)
              cell[tail] = multiply_add(weight, gradient[tail], cell[tail]);
          }
        }
      }
    }
  }
}

#endif
