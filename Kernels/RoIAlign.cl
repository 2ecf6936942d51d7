// RoIAlign: average pooling of bilinear samples inside regions of interest.
//
// What:    y[r,i,j,c] = sum over n_y x n_x samples s of bilinear(x[b_r], s)[c] / max(n_y n_x, 1).
//          Bin size = extent / bins; sample k of bin i stands at start + i bin + (k + 0.5) bin / n.
//          A sample outside [-1, size] of either axis gives 0; otherwise it is clamped to the map.
//          Weights are products of one weight a row and one a column, so a bin is a sum over few
//          (row, column) entries: samples that share a row or column share the load.
// Layout:  x[b,h,w,c], y[r,i,j,c], rois[r] = (b, x1, y1, x2, y2), place[r] = (level, b); b = -1 for
//          an image that does not exist: its region gives zeros and gets no gradient.
// Launch:  one launch a pyramid level; regions of other levels are passed over.
//          forward_cpu, forward_span_cpu: one work-item owns (band of output rows, region).
//          backward_cpu: one work-item owns (64 channels, band of map rows, image), clears its
//          part of grad_x and walks all regions. The others: one work-item an element of y (grad_x).
// Numbers: float32; no contraction, so that sample counts agree with the formula; fixed sum
//          order; gradients are written, not added to. An extent <= 0 takes no samples when their
//          number is adaptive (ratio 0).
// Source:  Mask R-CNN (He et al. 2017); behaves as torchvision.ops.roi_align.

#include "Common/Launch.clh"

#pragma OPENCL FP_CONTRACT OFF

// One axis of a region: where bins start, their size, samples a bin, cells of the map.
typedef struct {
  float start, bin;
  int samples, size;
} Axis;

inline Axis axis_of(float low, float high, float scale, int bins, int ratio, int aligned,
                    int size) {
  float offset = aligned ? 0.5f : 0.0f;
  float start = low * scale - offset;
  float end = high * scale - offset;
  float extent = end - start;
  if (!aligned)
    extent = fmax(extent, 1.0f);
  Axis axis;
  axis.start = start;
  axis.bin = extent / (float)bins;
  axis.samples = ratio > 0 ? ratio : (extent > 0.0f ? (int)fmin(ceil(axis.bin), 32768.0f) : 0);
  axis.size = size;
  return axis;
}

// Sample k of a bin: its two cells and the second one's weight; false outside the map.
inline bool sample_at(Axis axis, int bin, int k, int *low, int *high, float *fraction) {
  float position = axis.start + (float)bin * axis.bin +
                   ((float)k + 0.5f) * axis.bin / (float)axis.samples;
  if (!(position >= -1.0f && position <= (float)axis.size))
    return false;
  position = fmax(position, 0.0f);
  *low = min((int)position, axis.size - 1);
  *high = min(*low + 1, axis.size - 1);
  *fraction = *high == *low ? 0.0f : position - (float)*low;
  return true;
}

inline float sample_scale(Axis rows, Axis columns) {
  return 1.0f / (float)max(rows.samples * columns.samples, 1);
}

// place[r] = (level, image): floor(log2(sqrt(area) / finest + 1e-6)) clamped to the levels.
__kernel void roi_align_place(__global const float *restrict rois, __global int *restrict place,
                              int levels, int images, float finest, int count) {
  FOR_EACH_ELEMENT(r, count) {
    __global const float *roi = rois + 5 * r;
    float ratio = sqrt((roi[3] - roi[1]) * (roi[4] - roi[2])) / finest + 1e-6f;
    int level = 0;
    for (float limit = 2.0f; level < levels - 1 && ratio >= limit; limit *= 2.0f)
      level++;
    place[2 * r] = level;
    place[2 * r + 1] = roi[0] >= 0.0f && roi[0] < (float)images ? (int)roi[0] : -1;
  }
}

// y, one element a work-item.
__kernel void roi_align_forward_reference(__global const float *restrict x,
                                          __global const float *restrict rois,
                                          __global const int *restrict place,
                                          __global float *restrict y, int level, int height,
                                          int width, int channels, int pooled_height,
                                          int pooled_width, float scale, int ratio, int aligned,
                                          int count) {
  FOR_EACH_ELEMENT(i, count) {
    int c = i % channels;
    int bin_x = i / channels % pooled_width;
    int bin_y = i / channels / pooled_width % pooled_height;
    int r = i / channels / pooled_width / pooled_height;
    if (place[2 * r] != level)
      continue;
    int image = place[2 * r + 1];
    __global const float *roi = rois + 5 * r;
    Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
    Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
    float sum = 0.0f;
    if (image >= 0) {
      __global const float *map = x + (size_t)image * height * width * channels + c;
      for (int k = 0; k < rows.samples; k++) {
        int top, bottom, left, right;
        float down, across;
        if (!sample_at(rows, bin_y, k, &top, &bottom, &down))
          continue;
        for (int l = 0; l < columns.samples; l++) {
          if (!sample_at(columns, bin_x, l, &left, &right, &across))
            continue;
          float upper = map[(size_t)(top * width + left) * channels] * (1.0f - across) +
                        map[(size_t)(top * width + right) * channels] * across;
          float lower = map[(size_t)(bottom * width + left) * channels] * (1.0f - across) +
                        map[(size_t)(bottom * width + right) * channels] * across;
          sum += upper * (1.0f - down) + lower * down;
        }
      }
    }
    y[i] = sum * sample_scale(rows, columns);
  }
}

// The first and last bin that can touch a cell, with a margin for rounding.
inline void bins_touching(Axis axis, int cell, int bins, int *first, int *last) {
  *first = 0;
  *last = bins - 1;
  if (axis.bin > 1e-6f) {
    float low = ((float)(cell - 1) - axis.start) / axis.bin - 1.0f;
    float high = ((float)(cell + 1) - axis.start) / axis.bin + 1.0f;
    *first = (int)clamp(floor(low), 0.0f, (float)bins);
    *last = (int)clamp(ceil(high), -1.0f, (float)(bins - 1));
  }
}

// The weight with which a bin sees a cell of one axis.
inline float weight_of(Axis axis, int bin, int cell) {
  float weight = 0.0f;
  for (int k = 0; k < axis.samples; k++) {
    int low, high;
    float fraction;
    if (!sample_at(axis, bin, k, &low, &high, &fraction))
      continue;
    if (low == cell)
      weight += 1.0f - fraction;
    else if (high == cell)
      weight += fraction;
  }
  return weight;
}

// grad_x gathered: one element a work-item, which walks all regions in order.
__kernel void roi_align_backward_gather(__global const float *restrict grad_y,
                                        __global const float *restrict rois,
                                        __global const int *restrict place,
                                        __global float *restrict grad_x, int level, int regions,
                                        int height, int width, int channels, int pooled_height,
                                        int pooled_width, float scale, int ratio, int aligned,
                                        int count) {
  FOR_EACH_ELEMENT(i, count) {
    int c = i % channels;
    int cell_x = i / channels % width;
    int cell_y = i / channels / width % height;
    int image = i / channels / width / height;
    float sum = 0.0f;
    for (int r = 0; r < regions; r++) {
      if (place[2 * r] != level || place[2 * r + 1] != image)
        continue;
      __global const float *roi = rois + 5 * r;
      Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
      Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
      int first_y, last_y, first_x, last_x;
      bins_touching(rows, cell_y, pooled_height, &first_y, &last_y);
      bins_touching(columns, cell_x, pooled_width, &first_x, &last_x);
      float factor = sample_scale(rows, columns);
      for (int bin_y = first_y; bin_y <= last_y; bin_y++) {
        float down = weight_of(rows, bin_y, cell_y) * factor;
        if (down == 0.0f)
          continue;
        for (int bin_x = first_x; bin_x <= last_x; bin_x++) {
          float weight = down * weight_of(columns, bin_x, cell_x);
          size_t row = ((size_t)r * pooled_height + bin_y) * pooled_width + bin_x;
          if (weight != 0.0f)
            sum += weight * grad_y[row * channels + c];
        }
      }
    }
    grad_x[i] = sum;
  }
}

// The kernels from here on are for CPUs: local memory is the scratch of the one work-item.
#define CPU_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))

inline int put_entry(__local int *cells, __local float *weights, int begin, int end, int cell,
                     float weight) {
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
inline int put_bin(Axis axis, int bin, __local int *cells, __local float *weights, int begin) {
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
inline void put_bins(Axis axis, int bins, __local int *starts, __local int *cells,
                     __local float *weights) {
  starts[0] = 0;
  for (int i = 0; i < bins; i++)
    starts[i + 1] = put_bin(axis, i, cells, weights, starts[i]);
}

// y for maps of many channels: 64, 16 or 1 at a time. `ints` holds pooled_width + 1 starts and the
// cells of columns and rows; `floats` their weights; a row of bins has at most `capacity` entries.
CPU_KERNEL void roi_align_forward_cpu(__global const float *restrict x,
                                      __global const float *restrict rois,
                                      __global const int *restrict place,
                                      __global float *restrict y, __local int *ints,
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
  __global const float *map = x + (size_t)max(image, 0) * height * width * channels;
  __local int *starts = ints, *column_cells = starts + pooled_width + 1;
  __local int *row_cells = column_cells + capacity;
  __local float *column_weights = floats, *row_weights = floats + capacity;
  put_bins(columns, pooled_width, starts, column_cells, column_weights);
  float factor = sample_scale(rows, columns);
  int first = (int)get_group_id(0) * rows_per_group;
  for (int i = first; i < min(first + rows_per_group, pooled_height); i++) {
    int row_count = put_bin(rows, i, row_cells, row_weights, 0);
    for (int j = 0; j < pooled_width; j++) {
      __global float *out = y + (((size_t)r * pooled_height + i) * pooled_width + j) * channels;
      int c = 0;
      for (; c + 64 <= channels; c += 64) {
        float16 sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
        for (int a = 0; a < row_count; a++)
          for (int b = starts[j]; b < starts[j + 1]; b++) {
            float weight = row_weights[a] * column_weights[b];
            __global const float *cell =
                map + (size_t)(row_cells[a] * width + column_cells[b]) * channels + c;
            sum0 = fma((float16)weight, vload16(0, cell), sum0);
            sum1 = fma((float16)weight, vload16(1, cell), sum1);
            sum2 = fma((float16)weight, vload16(2, cell), sum2);
            sum3 = fma((float16)weight, vload16(3, cell), sum3);
          }
        vstore16(sum0 * factor, 0, out + c);
        vstore16(sum1 * factor, 1, out + c);
        vstore16(sum2 * factor, 2, out + c);
        vstore16(sum3 * factor, 3, out + c);
      }
      for (; c + 16 <= channels; c += 16) {
        float16 sum = 0.0f;
        for (int a = 0; a < row_count; a++)
          for (int b = starts[j]; b < starts[j + 1]; b++)
            sum = fma((float16)(row_weights[a] * column_weights[b]),
                      vload16(0, map + (size_t)(row_cells[a] * width + column_cells[b]) * channels +
                                     c),
                      sum);
        vstore16(sum * factor, 0, out + c);
      }
      for (; c < channels; c++) {
        float sum = 0.0f;
        for (int a = 0; a < row_count; a++)
          for (int b = starts[j]; b < starts[j + 1]; b++)
            sum += row_weights[a] * column_weights[b] *
                   map[(size_t)(row_cells[a] * width + column_cells[b]) * channels + c];
        out[c] = sum * factor;
      }
    }
  }
}

// y for maps of few channels, crops of images above all: the rows of a bin are first added up over
// the columns that the region spans (contiguous, so in vectors), then the columns of each bin.
// `floats` also holds one row of the map.
CPU_KERNEL void roi_align_forward_span_cpu(__global const float *restrict x,
                                           __global const float *restrict rois,
                                           __global const int *restrict place,
                                           __global float *restrict y, __local int *ints,
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
  __global const float *map = x + (size_t)max(image, 0) * height * width * channels;
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
      __global const float *row = map + (size_t)row_cells[a] * width * channels;
      float weight = row_weights[a] * factor;
      int e = from;
      for (; e + 16 <= to; e += 16)
        vstore16(fma((float16)weight, vload16(0, row + e), vload16(0, span + e)), 0, span + e);
      for (; e < to; e++)
        span[e] = fma(weight, row[e], span[e]);
    }
    __global float *out = y + ((size_t)r * pooled_height + i) * pooled_width * channels;
    for (int j = 0; j < pooled_width; j++, out += channels) {
      if (channels == 3) {
        float3 sum = 0.0f;
        for (int b = starts[j]; b < starts[j + 1]; b++)
          sum = fma((float3)column_weights[b], vload3(0, span + column_cells[b]), sum);
        vstore3(sum, 0, out);
      } else {
        for (int c = 0; c < channels; c++) {
          float sum = 0.0f;
          for (int b = starts[j]; b < starts[j + 1]; b++)
            sum = fma(column_weights[b], span[column_cells[b] + c], sum);
          out[c] = sum;
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
  for (int cell = top * width; cell < bottom * width; cell++)
    for (int c = from; c < to; c++)
      map[(size_t)cell * channels + c] = 0.0f;
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
        for (int j = 0; j < pooled_width; j++, gradient += channels)
          for (int b = starts[j]; b < starts[j + 1]; b++) {
            float weight = down * column_weights[b];
            __global float *cell = row + (size_t)column_cells[b] * channels;
            int c = from;
            for (; c + 16 <= to; c += 16)
              vstore16(fma((float16)weight, vload16(0, gradient + c), vload16(0, cell + c)), 0,
                       cell + c);
            for (; c < to; c++)
              cell[c] = fma(weight, gradient[c], cell[c]);
          }
      }
    }
  }
}
