// The gradient of the input of a convolution of few input channels, for CPU devices.
//
// What:    gx[n, y, x, c] = sum over taps (ky, kx) of g[ky, kx, c, (n, oy, ox)],
//          oy * stride = y + padding - ky * dilation, ox likewise, where g = W^T gy is what every
//          output pixel sends to every tap: one dense matrix product beforehand. Vectors run along
//          ox, as a handful of channels would leave most lanes idle.
// Layout:  g [taps * channels, pixels], row (ky * kernel_width + kx) * channels + c, pixels those of
//          the output rows first..<first + count; gx NHWC. Rows count through all images.
// Launch:  a work-item owns the input row start + get_global_id(0). Launches go upwards through the
//          output rows; each visits every input row that its output rows reach, and those that were
//          skipped. Rows from `fresh` on are written, those below are added to.
// Numbers: float32; fixed order that depends on how the output rows are divided.
// Source:  the transpose of image-to-column (Chellapilla et al. 2006).

#include "Common/Launch.clh"

#define LANE_COUNT 16
// Vectors of a block that are summed side by side.
#define VECTORS 4
#define BLOCK (LANE_COUNT * VECTORS)

// Elements x..<x + 16 of a row, 0 outside of 0..<width.
static inline float16 load_inside(__global const float *row, int x, int width) {
  if (x >= 0 && x + LANE_COUNT <= width)
    return vload16(0, row + x);
  float part[LANE_COUNT];
  for (int i = 0; i < LANE_COUNT; i++)
    part[i] = x + i >= 0 && x + i < width ? row[x + i] : 0.0f;
  return vload16(0, part);
}

// The first of `taps` that meets an output at a padded position; taps when none does.
static inline int first_tap(int position, int taps, int stride, int dilation) {
  for (int tap = 0; tap < min(taps, stride); tap++)
    if ((position - tap * dilation) % stride == 0)
      return tap;
  return taps;
}

// tap_step: from a tap that meets an output to the next one, stride / gcd(stride, dilation).
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
convolution_gather_backward_input_cpu(__global const float *restrict g, __global float *restrict gx,
                                      int height, int width, int channels, int output_height,
                                      int output_width, int kernel_height, int kernel_width,
                                      int stride, int padding, int dilation, int tap_step,
                                      int first, int count, int start, int fresh) {
  const int row = start + (int)get_global_id(0);
  const int y = row % height, before = row / height * output_height - first;
  const size_t plane = (size_t)count * output_width;
  const int output_step = tap_step * dilation / stride;
  const int tap_y = first_tap(y + padding, kernel_height, stride, dilation);
  gx += (size_t)row * width * channels;
  for (int phase = 0; phase < min(stride, width); phase++) {
    const int tap_x = first_tap(phase + padding, kernel_width, stride, dilation);
    const int shift = (phase + padding - tap_x * dilation) / stride;
    const int pixels = (width - phase + stride - 1) / stride;
    for (int j = 0; j < pixels; j += BLOCK) {
      for (int c = 0; c < channels; c++) {
        float16 sum[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) sum[v] = (float16)(0.0f);
        int oy = (y + padding - tap_y * dilation) / stride;
        for (int ky = tap_y; ky < kernel_height; ky += tap_step, oy -= output_step) {
          if (oy < 0 || oy >= output_height || before + oy < 0 || before + oy >= count)
            continue;
          __global const float *from = g + (size_t)(before + oy) * output_width;
          int ox = j + shift;
          for (int kx = tap_x; kx < kernel_width; kx += tap_step, ox -= output_step) {
            __global const float *line =
                from + (size_t)((ky * kernel_width + kx) * channels + c) * plane;
            if (ox >= 0 && ox + BLOCK <= output_width) {
              UNROLL for (int v = 0; v < VECTORS; v++) sum[v] += vload16(v, line + ox);
            } else {
              UNROLL for (int v = 0; v < VECTORS; v++) sum[v] +=
                  load_inside(line, ox + v * LANE_COUNT, output_width);
            }
          }
        }
        float part[BLOCK];
        UNROLL for (int v = 0; v < VECTORS; v++) vstore16(sum[v], v, part);
        __global float *to = gx + ((size_t)j * stride + phase) * channels + c;
        const int length = min(BLOCK, pixels - j), step = stride * channels;
        if (row >= fresh)
          for (int i = 0; i < length; i++)
            to[i * step] = part[i];
        else
          for (int i = 0; i < length; i++)
            to[i * step] += part[i];
      }
    }
  }
}
