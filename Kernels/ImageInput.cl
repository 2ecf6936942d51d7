// Network input from 8-bit images.
//
// What:    y = (v - mean) / deviation, where v is the image resized bilinearly to 8 bits, mirrored
//          on demand; zeros where the batch is larger than the resized image. Of each row and column
//          of the result a tap (first, second, weight of first, weight of second) says where it
//          comes from, in 1/2048:
//            S(r)   = pixels[r,first] weight0 + pixels[r,second] weight1   of the column's tap
//            v      = ((S(first) >> 4) weight0 >> 16) + ((S(second) >> 4) weight1 >> 16) + 2 >> 2
//          of the row's tap.
// Layout:  pixels[y,x,c] bytes, RGB; rows[target_height], columns[target_width];
//          y[image,y,x,c]; channels in reverse order where `reversed`.
// Launch:  one launch an image. cpu: one work-item owns rows_per_group rows of the batch and keeps
//          the sums of two source rows, shifted: 6 target_width shorts. Elsewhere one work-item a
//          pixel of the batch.
// Numbers: integers, cut off as written. Equal to OpenCV's INTER_LINEAR for bytes; its special case,
//          the mean of 2 x 2 pixels where both sides are halved, is what these sums give.
// Source:  spec training 4.5; spec clip 3.4 for renormalise.

#include "Common/Launch.clh"

// One channel of a source row between two pixels; below 2^15: 255 * 2049 >> 4.
static inline int sum_of(__global const uchar *restrict row, int4 column, int channel) {
  return (row[3 * column.x + channel] * column.z + row[3 * column.y + channel] * column.w) >> 4;
}

// The grey level between two rows.
static inline int blend(int upper, int lower, int4 row) {
  return ((upper * row.z >> 16) + (lower * row.w >> 16) + 2) >> 2;
}

#if DEVICE_IS_CPU
// The sums of one source row, in the order of the network's channels.
INLINED void sums_of_row(__global const uchar *restrict row,
                         __global const int4 *restrict columns, __local short *restrict sums,
                         int count, int reversed) {
  int first = reversed ? 2 : 0;
  for (int j = 0; j < count; j++) {
    int4 column = columns[j];
    sums[3 * j] = (short)sum_of(row, column, first);
    sums[3 * j + 1] = (short)sum_of(row, column, 1);
    sums[3 * j + 2] = (short)sum_of(row, column, 2 - first);
  }
}

// The input between two rows of sums.
INLINED void inputs_of_row(__local const short *restrict upper,
                           __local const short *restrict lower, int4 row,
                           __global float *restrict out, int count, float3 mean,
                           float3 factor) {
  for (int j = 0; j < count; j++) {
    int e = 3 * j;
    out[e] = ((float)blend(upper[e], lower[e], row) - mean.x) * factor.x;
    out[e + 1] = ((float)blend(upper[e + 1], lower[e + 1], row) - mean.y) * factor.y;
    out[e + 2] = ((float)blend(upper[e + 2], lower[e + 2], row) - mean.z) * factor.z;
  }
}

// y of one image, rows on CPUs.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
image_input_forward_cpu(__global const uchar *restrict pixels, __global const int4 *restrict rows,
                        __global const int4 *restrict columns, __global float *restrict y,
                        __local short *restrict sums, int rows_per_group, int image,
                        int source_width, int target_height, int target_width, int height,
                        int width, int reversed, float mean0, float mean1, float mean2,
                        float factor0, float factor1, float factor2) {
  // The source rows whose sums are held: neighbours of the result share them.
  __local short *upper = sums, *lower = sums + 3 * target_width;
  int upper_row = -1, lower_row = -1;
  int first = (int)get_group_id(0) * rows_per_group;
  for (int i = first; i < min(first + rows_per_group, height); i++) {
    __global float *out = y + ((size_t)image * height + i) * width * 3;
    int filled = 0;
    if (i < target_height) {
      filled = target_width;
      int4 row = rows[i];
      if (row.x == lower_row) {
        __local short *other = upper;
        upper = lower;
        lower = other;
        lower_row = upper_row;
      } else if (row.x != upper_row) {
        sums_of_row(pixels + (size_t)row.x * source_width * 3, columns, upper, target_width,
                    reversed);
      }
      upper_row = row.x;
      if (row.y != lower_row)
        sums_of_row(pixels + (size_t)row.y * source_width * 3, columns, lower, target_width,
                    reversed);
      lower_row = row.y;
      inputs_of_row(upper, lower, row, out, target_width, (float3)(mean0, mean1, mean2),
                    (float3)(factor0, factor1, factor2));
    }
    for (int e = 3 * filled; e < 3 * width; e++)
      out[e] = 0.0f;
  }
}
#endif

// y of one image, a pixel a work-item.
__kernel void image_input_forward_reference(__global const uchar *restrict pixels,
                                            __global const int4 *restrict rows,
                                            __global const int4 *restrict columns,
                                            __global float *restrict y, int image,
                                            int source_width, int target_height, int target_width,
                                            int height, int width, int reversed, float mean0,
                                            float mean1, float mean2, float factor0, float factor1,
                                            float factor2, int count) {
  FOR_EACH_ELEMENT(p, count) {
    int i = p / width, j = p % width;
    float3 value = 0.0f;
    if (i < target_height && j < target_width) {
      int4 row = rows[i], column = columns[j];
      __global const uchar *upper = pixels + (size_t)row.x * source_width * 3;
      __global const uchar *lower = pixels + (size_t)row.y * source_width * 3;
      value = (float3)(blend(sum_of(upper, column, 0), sum_of(lower, column, 0), row),
                       blend(sum_of(upper, column, 1), sum_of(lower, column, 1), row),
                       blend(sum_of(upper, column, 2), sum_of(lower, column, 2), row));
      if (reversed)
        value = value.zyx;
      value = (value - (float3)(mean0, mean1, mean2)) * (float3)(factor0, factor1, factor2);
    }
    vstore3(value, (size_t)image * height * width + p, y);
  }
}

// y[p,c] = factor_c x[p, c or 2 - c] + offset_c
__kernel void image_input_renormalise(__global const float *restrict x, __global float *restrict y,
                                      int reversed, float factor0, float factor1, float factor2,
                                      float offset0, float offset1, float offset2, int count) {
  FOR_EACH_ELEMENT(p, count) {
    float3 value = vload3(p, x);
    if (reversed)
      value = value.zyx;
    vstore3(multiply_add(value, (float3)(factor0, factor1, factor2),
                         (float3)(offset0, offset1, offset2)),
            p, y);
  }
}
