// Network input from 8-bit images.
//
// What:    y = (v - mean) / deviation, where v is the image resized bilinearly and rounded to 8
//          bits, mirrored on demand; zeros where the batch is larger than the resized image.
//          Sample centres are half-pixels, without antialias: output i reads source position
//          (i + 1/2) source / target - 1/2, limited to the image.
// Layout:  pixels[y,x,c] bytes, RGB; y[image,y,x,c]; channels in reverse order where `reversed`.
// Launch:  one launch an image. cpu: one work-item owns rows_per_group rows of the batch. Elsewhere
//          one work-item a pixel of the batch.
// Numbers: integer interpolation: weights are rounded to 11 bits, their products are summed exactly
//          and rounded once, (sum + 2^21) >> 22. Within one grey level of OpenCV's INTER_LINEAR.
// Source:  spec training 4.5; spec clip 3.4 for renormalise.

#include "Common/Launch.clh"

// The source cell left of (above) output i and the 11-bit weight of the next one. Sizes below 2^15.
static inline int2 tap_of(int i, int source, int target) {
  int position = (2 * i + 1) * source - target;  // in units of 1 / (2 target)
  if (position <= 0)
    return (int2)(0, 0);
  int cell = position / (2 * target);
  if (cell >= source - 1)
    return (int2)(source - 1, 0);
  long rest = position - cell * 2 * target;
  return (int2)(cell, (int)((rest * 2048 + target) / (2 * target)));
}

// One channel between two pixels of two rows.
static inline float blend(__global const uchar *restrict upper,
                          __global const uchar *restrict lower, int left, int right, int across,
                          int down) {
  int top = upper[left] * (2048 - across) + upper[right] * across;
  int bottom = lower[left] * (2048 - across) + lower[right] * across;
  return (float)((top * (2048 - down) + bottom * down + (1 << 21)) >> 22);
}

#if DEVICE_IS_CPU
// y of one image, rows on CPUs. taps: two ints a column of the resized image.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
image_input_forward_cpu(__global const uchar *restrict pixels, __global float *restrict y,
                        __local int2 *restrict taps, int rows_per_group, int image,
                        int source_height, int source_width, int target_height, int target_width,
                        int height, int width, int flipped, int reversed, float mean0, float mean1,
                        float mean2, float factor0, float factor1, float factor2) {
  for (int j = 0; j < target_width; j++)
    taps[j] = tap_of(flipped ? target_width - 1 - j : j, source_width, target_width);
  int first = (int)get_group_id(0) * rows_per_group;
  for (int i = first; i < min(first + rows_per_group, height); i++) {
    __global float *out = y + ((size_t)image * height + i) * width * 3;
    int filled = 0;
    if (i < target_height) {
      filled = target_width;
      int2 row = tap_of(i, source_height, target_height);
      __global const uchar *upper = pixels + (size_t)row.x * source_width * 3;
      __global const uchar *lower =
          pixels + (size_t)min(row.x + 1, source_height - 1) * source_width * 3;
      int first_channel = reversed ? 2 : 0, last_channel = 2 - first_channel;
      for (int j = 0; j < target_width; j++) {
        int left = 3 * taps[j].x, right = 3 * min(taps[j].x + 1, source_width - 1);
        int across = taps[j].y;
        out[3 * j] = (blend(upper + first_channel, lower + first_channel, left, right, across,
                            row.y) - mean0) * factor0;
        out[3 * j + 1] =
            (blend(upper + 1, lower + 1, left, right, across, row.y) - mean1) * factor1;
        out[3 * j + 2] = (blend(upper + last_channel, lower + last_channel, left, right, across,
                                row.y) - mean2) * factor2;
      }
    }
    for (int e = 3 * filled; e < 3 * width; e++)
      out[e] = 0.0f;
  }
}
#endif

// y of one image, a pixel a work-item.
__kernel void image_input_forward_reference(__global const uchar *restrict pixels,
                                            __global float *restrict y, int image,
                                            int source_height, int source_width, int target_height,
                                            int target_width, int height, int width, int flipped,
                                            int reversed, float mean0, float mean1, float mean2,
                                            float factor0, float factor1, float factor2,
                                            int count) {
  FOR_EACH_ELEMENT(p, count) {
    int i = p / width, j = p % width;
    float3 value = 0.0f;
    if (i < target_height && j < target_width) {
      int2 row = tap_of(i, source_height, target_height);
      int2 column = tap_of(flipped ? target_width - 1 - j : j, source_width, target_width);
      __global const uchar *upper = pixels + (size_t)row.x * source_width * 3;
      __global const uchar *lower =
          pixels + (size_t)min(row.x + 1, source_height - 1) * source_width * 3;
      int left = 3 * column.x, right = 3 * min(column.x + 1, source_width - 1);
      value = (float3)(blend(upper, lower, left, right, column.y, row.y),
                       blend(upper + 1, lower + 1, left, right, column.y, row.y),
                       blend(upper + 2, lower + 2, left, right, column.y, row.y));
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
