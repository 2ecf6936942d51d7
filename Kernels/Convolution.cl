// The transforms of Winograd's F(4x4, 3x3): a 3x3 convolution of stride 1 in a quarter of the
// multiplications.
//
// What:    A 4x4 block of the output is A^T ((G w G^T) * (B^T x B)) A, where x is the 6x6 block of
//          the input below it, w the 3x3 weight of one pair of channels, * element by element and
//          summed over the input channels: for each of the 36 elements a matrix product. The
//          gradient of w is G^T (sum over tiles of (A y A^T) * (B^T x B)) G, y that of the output.
// Layout:  u [36][O][I], v [36][tile][C], m [36][tile][C], planes `plane` elements apart; x, y are
//          NHWC as activations are stored, w OHWI. Tiles count row by row through the blocks of all
//          images; a launch handles tiles first..<first + get_global_size(1).
// Launch:  get_global_id(1) is the tile (the output channel for weights); the items of dimension 0
//          share its channels, WIDTH at a time. One item on a CPU, a work-group on a GPU.
// Parameters: FLIPPED   0: w as it is; 1: turned by 180 degrees, for the gradient of the input
// Numbers: float32; errors about 1e-5 of the largest output (direct convolution: 4e-7). Channels
//          are multiples of 16. x is zero outside of the image; bias may be null.
// Source:  Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, section 4.1.

#include "Common/Launch.clh"
#include "Common/Storage.clh"
#include "Common/Vectors.clh"

#ifndef FLIPPED
#define FLIPPED 0
#endif
#if DEVICE_IS_CPU
#define WIDTH 16
#define VALUE float16
#define LOAD(p) vload16(0, p)
#define STORE(value, p) vstore16(value, 0, p)
#define LOAD_STORED load_elements_16
#define STORE_STORED store_elements_16
#else
#define WIDTH 1
#define VALUE float
#define LOAD(p) (*(p))
#define STORE(value, p) (*(p) = (value))
#define LOAD_STORED load_element
#define STORE_STORED store_element
#endif
#define FOR_EACH_CHANNEL(c, channels)                                                              \
  for (int c = (int)get_global_id(0) * WIDTH; c < (channels); c += (int)get_global_size(0) * WIDTH)

// t[i * step] = rows of G times (a, b, c).
static inline void transform_weight(VALUE a, VALUE b, VALUE c, VALUE *t, int step) {
  VALUE even = a * (1.0f / 24.0f) + c * (1.0f / 6.0f), odd = b * (1.0f / 12.0f);
  t[0] = a * 0.25f;
  t[step] = (a + b + c) * (-1.0f / 6.0f);
  t[2 * step] = (a - b + c) * (-1.0f / 6.0f);
  t[3 * step] = even + odd;
  t[4 * step] = even - odd;
  t[5 * step] = c;
}

// Rows of B^T times six elements, in place.
static inline void transform_input(VALUE *d, int step) {
  VALUE a = d[0], b = d[step], c = d[2 * step], e = d[3 * step], f = d[4 * step], g = d[5 * step];
  d[0] = 4.0f * a - 5.0f * c + f;
  d[step] = (f - 4.0f * c) + (e - 4.0f * b);
  d[2 * step] = (f - 4.0f * c) - (e - 4.0f * b);
  d[3 * step] = (f - c) + 2.0f * (e - b);
  d[4 * step] = (f - c) - 2.0f * (e - b);
  d[5 * step] = 4.0f * b - 5.0f * e + g;
}

// Rows of A^T times six elements; the first four are replaced.
static inline void transform_output(VALUE *d, int step) {
  VALUE sum = d[step] + d[2 * step], difference = d[step] - d[2 * step];
  VALUE sum2 = d[3 * step] + d[4 * step], difference2 = d[3 * step] - d[4 * step];
  d[0] = d[0] + sum + sum2;
  d[step] = difference + 2.0f * difference2;
  d[2 * step] = sum + 4.0f * sum2;
  d[3 * step] = difference + 8.0f * difference2 + d[5 * step];
}

// t[i * step] = rows of A times (a, b, c, d).
static inline void transform_gradient(VALUE a, VALUE b, VALUE c, VALUE d, VALUE *t, int step) {
  VALUE even = a + 4.0f * c, odd = 2.0f * b + 8.0f * d;
  t[0] = a;
  t[step] = (a + c) + (b + d);
  t[2 * step] = (a + c) - (b + d);
  t[3 * step] = even + odd;
  t[4 * step] = even - odd;
  t[5 * step] = d;
}

// Rows of G^T times six elements; the first three are replaced.
static inline void fold_weight(VALUE *d, int step) {
  VALUE sum = (d[step] + d[2 * step]) * (1.0f / 6.0f);
  VALUE difference = (d[2 * step] - d[step]) * (1.0f / 6.0f);
  VALUE sum2 = (d[3 * step] + d[4 * step]) * (1.0f / 24.0f);
  VALUE difference2 = (d[3 * step] - d[4 * step]) * (1.0f / 12.0f);
  d[0] = d[0] * 0.25f - sum + sum2;
  d[step] = difference + difference2;
  d[2 * step] = 4.0f * sum2 - sum + d[5 * step];
}

__kernel void convolution_winograd_weight(__global const float *restrict w,
                                          __global float *restrict u, int inputs, int plane) {
  const int output = get_global_id(1);
  w += (size_t)output * 9 * inputs;
  u += (size_t)output * inputs;
  FOR_EACH_CHANNEL(c, inputs) {
    VALUE t[6][3], s[6];
    UNROLL for (int x = 0; x < 3; x++) {
      VALUE g[3];
      UNROLL for (int y = 0; y < 3; y++) {
        int tap = 3 * y + x;
        g[y] = LOAD(w + (FLIPPED ? 8 - tap : tap) * inputs + c);
      }
      transform_weight(g[0], g[1], g[2], &t[0][x], 3);
    }
    UNROLL for (int y = 0; y < 6; y++) {
      transform_weight(t[y][0], t[y][1], t[y][2], s, 1);
      UNROLL for (int x = 0; x < 6; x++) STORE(s[x], u + (size_t)(6 * y + x) * plane + c);
    }
  }
}

__kernel void convolution_winograd_input(__global const stored *restrict x,
                                         __global float *restrict v, int height, int width,
                                         int channels, int padding, int blocks_y, int blocks_x,
                                         int first, int plane) {
  const int tile = first + (int)get_global_id(1);
  const int top = tile / blocks_x % blocks_y * 4 - padding, left = tile % blocks_x * 4 - padding;
  x += (size_t)(tile / blocks_x / blocks_y) * height * width * channels;
  v += (size_t)get_global_id(1) * channels;
  const int inside = top >= 0 && left >= 0 && top + 6 <= height && left + 6 <= width;
  FOR_EACH_CHANNEL(c, channels) {
    VALUE d[36];
    if (inside) {
      UNROLL for (int i = 0; i < 36; i++) d[i] =
          LOAD_STORED(x + ((size_t)(top + i / 6) * width + left + i % 6) * channels + c);
    } else {
      UNROLL for (int i = 0; i < 36; i++) {
        int row = top + i / 6, column = left + i % 6;
        d[i] = row >= 0 && row < height && column >= 0 && column < width
                   ? LOAD_STORED(x + ((size_t)row * width + column) * channels + c)
                   : (VALUE)(0.0f);
      }
    }
    UNROLL for (int i = 0; i < 6; i++) transform_input(d + i, 6);
    UNROLL for (int i = 0; i < 6; i++) transform_input(d + 6 * i, 1);
    UNROLL for (int i = 0; i < 36; i++) STORE(d[i], v + (size_t)i * plane + c);
  }
}

__kernel void convolution_winograd_output(__global const float *restrict m,
                                          __global const float *restrict bias,
                                          __global stored *restrict y, int height, int width,
                                          int channels, int blocks_y, int blocks_x, int first,
                                          int plane) {
  const int tile = first + (int)get_global_id(1);
  const int top = tile / blocks_x % blocks_y * 4, left = tile % blocks_x * 4;
  y += (size_t)(tile / blocks_x / blocks_y) * height * width * channels;
  m += (size_t)get_global_id(1) * channels;
  FOR_EACH_CHANNEL(c, channels) {
    VALUE d[36];
    UNROLL for (int i = 0; i < 36; i++) d[i] = LOAD(m + (size_t)i * plane + c);
    UNROLL for (int i = 0; i < 6; i++) transform_output(d + i, 6);
    UNROLL for (int i = 0; i < 4; i++) transform_output(d + 6 * i, 1);
    VALUE b = bias ? LOAD(bias + c) : (VALUE)(0.0f);
    UNROLL for (int i = 0; i < 16; i++) {
      int row = top + i / 4, column = left + i % 4;
      if (row < height && column < width)
        STORE_STORED(d[i / 4 * 6 + i % 4] + b, y + ((size_t)row * width + column) * channels + c);
    }
  }
}

// v = A y A^T; y is zero outside of the image.
__kernel void convolution_winograd_gradient(__global const stored *restrict y,
                                            __global float *restrict v, int height, int width,
                                            int channels, int blocks_y, int blocks_x, int first,
                                            int plane) {
  const int tile = first + (int)get_global_id(1);
  const int top = tile / blocks_x % blocks_y * 4, left = tile % blocks_x * 4;
  y += (size_t)(tile / blocks_x / blocks_y) * height * width * channels;
  v += (size_t)get_global_id(1) * channels;
  FOR_EACH_CHANNEL(c, channels) {
    VALUE t[6][4], s[6];
    UNROLL for (int j = 0; j < 4; j++) {
      VALUE g[4];
      UNROLL for (int i = 0; i < 4; i++) {
        int row = top + i, column = left + j;
        g[i] = row < height && column < width
                   ? LOAD_STORED(y + ((size_t)row * width + column) * channels + c)
                   : (VALUE)(0.0f);
      }
      transform_gradient(g[0], g[1], g[2], g[3], &t[0][j], 4);
    }
    UNROLL for (int i = 0; i < 6; i++) {
      transform_gradient(t[i][0], t[i][1], t[i][2], t[i][3], s, 1);
      UNROLL for (int j = 0; j < 6; j++) STORE(s[j], v + (size_t)(6 * i + j) * plane + c);
    }
  }
}

// w = G^T u G, the gradient of the weight; written.
__kernel void convolution_winograd_fold(__global const float *restrict u,
                                        __global float *restrict w, int inputs, int plane) {
  const int output = get_global_id(1);
  u += (size_t)output * inputs;
  w += (size_t)output * 9 * inputs;
  FOR_EACH_CHANNEL(c, inputs) {
    VALUE d[36];
    UNROLL for (int i = 0; i < 36; i++) d[i] = LOAD(u + (size_t)i * plane + c);
    UNROLL for (int i = 0; i < 6; i++) fold_weight(d + i, 6);
    UNROLL for (int i = 0; i < 3; i++) fold_weight(d + 6 * i, 1);
    UNROLL for (int i = 0; i < 9; i++) STORE(d[i / 3 * 6 + i % 3], w + i * inputs + c);
  }
}
