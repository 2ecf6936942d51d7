// Element-wise operators.
//
// What:    y = f(x) or y = f(a, b), element by element; y[r, c] = x[r, c] + row[c].
// Layout:  any dense layout; all operands of one call have the same number of elements. The row
//          operators see [rows, count].
// Launch:  ComputeStream.launchElements; see FOR_EACH_ELEMENT in Common/Launch.clh and
//          FOR_EACH_VECTOR in Common/Channels.clh. Row operators: a work-group owns the rows
//          [g * block, (g + 1) * block), g = get_group_id(0).
// Parameters: STORAGE, how x, a, b, y and their gradients lie in memory; rows, scales, partial sums
//          and what is scaled by an exponential are float.
// Numbers: float32; gradients are written, not added to; sums over rows have a fixed order.
//          relu's gradient at 0 is 0. sigmoid takes any finite x without overflow.
// Source:  quickGELU and GELU: Activations.clh.

// Elements in a row are any number.
#define ROWS_ARE_WHOLE 0
#include "Common/Channels.clh"
#define ACTIVATED channels
#include "Activations.clh"

// Reads, writes `channels` at element i of `count`.
#define READ(p) load_stored(p + i, count - i, 0)
#define WRITE(value, p) store_stored(value, p + i, count - i)

// y = a + b
__kernel void pointwise_add_forward(__global const stored *restrict a,
                                    __global const stored *restrict b, __global stored *restrict y,
                                    int count) {
  FOR_EACH_VECTOR(i, count) WRITE(READ(a) + READ(b), y);
}

// y += x
__kernel void pointwise_add_update(__global stored *restrict y, __global const stored *restrict x,
                                   int count) {
  FOR_EACH_VECTOR(i, count) WRITE(READ(y) + READ(x), y);
}

#if DEVICE_IS_CPU
// A store of 16 floats that does not read what it overwrites into the caches first, where there is
// one; OpenCL has none.
#if HOST_BUILTINS
#define STORE_PAST_CACHES(value, p) __builtin_nontemporal_store(value, (__global float16 *)(p))
#else
#define STORE_PAST_CACHES(value, p) vstore16(value, 0, p)
#endif

// y = x, more than the caches hold, for CPUs alone; y lies at a multiple of 64 bytes.
__kernel void pointwise_copy_forward(__global const float *restrict x, __global float *restrict y,
                                     int count) {
  FOR_EACH_VECTOR(i, count) {
    if (count - i >= CHANNEL_WIDTH)
      STORE_PAST_CACHES(vload16(0, x + i), y + i);
    else
      store_channels(load_channels(x + i, count - i, 0), y + i, count - i);
  }
}
#endif

// y = x, rounded to how activations are stored
__kernel void pointwise_narrow_forward(__global const float *restrict x,
                                       __global stored *restrict y, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(load_channels(x + i, count - i, 0), y);
}

// y = x, as floats
__kernel void pointwise_widen_forward(__global const stored *restrict x, __global float *restrict y,
                                      int count) {
  FOR_EACH_VECTOR(i, count) store_channels(READ(x), y + i, count - i);
}

// y = scale * x
__kernel void pointwise_scale_forward(__global const stored *restrict x,
                                      __global stored *restrict y, float scale, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(scale * READ(x), y);
}

// y = exp(min(exponent[0], limit)) * x
__kernel void pointwise_scale_exponential_forward(__global const float *restrict x,
                                                  __global const float *restrict exponent,
                                                  __global float *restrict y, float limit,
                                                  int count) {
  float scale = exp(fmin(exponent[0], limit));
  FOR_EACH_ELEMENT(i, count) y[i] = scale * x[i];
}

// gexponent[0] = product[0] where exponent[0] < limit, else 0; product is the sum of y * gy.
__kernel void pointwise_scale_exponential_backward(__global const float *restrict product,
                                                   __global const float *restrict exponent,
                                                   __global float *restrict gexponent, float limit,
                                                   int count) {
  FOR_EACH_ELEMENT(i, count) gexponent[i] = exponent[i] < limit ? product[i] : 0;
}

// y = a - b
__kernel void pointwise_subtract_forward(__global const stored *restrict a,
                                         __global const stored *restrict b,
                                         __global stored *restrict y, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(READ(a) - READ(b), y);
}

// y = a * b
__kernel void pointwise_multiply_forward(__global const stored *restrict a,
                                         __global const stored *restrict b,
                                         __global stored *restrict y, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(READ(a) * READ(b), y);
}

// y = max(x, 0); not fmax: NaN stays NaN.
__kernel void pointwise_relu_forward(__global const stored *restrict x, __global stored *restrict y,
                                     int count) {
  FOR_EACH_VECTOR(i, count) {
    channels value = READ(x);
    WRITE(value <= 0 ? (channels)0 : value, y);
  }
}

// gx = gy where y > 0, else 0
__kernel void pointwise_relu_backward(__global const stored *restrict y,
                                      __global const stored *restrict gy,
                                      __global stored *restrict gx, int count) {
  FOR_EACH_VECTOR(i, count) {
    channels gradient = READ(gy);
    WRITE(READ(y) > 0 ? gradient : (channels)0, gx);
  }
}

// y = 1 / (1 + exp(-x)); exp may be infinite, then y is 0.
__kernel void pointwise_sigmoid_forward(__global const stored *restrict x,
                                        __global stored *restrict y, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(1.0f / (1.0f + exp(-READ(x))), y);
}

// gx = gy * y * (1 - y)
__kernel void pointwise_sigmoid_backward(__global const stored *restrict y,
                                         __global const stored *restrict gy,
                                         __global stored *restrict gx, int count) {
  FOR_EACH_VECTOR(i, count) {
    channels value = READ(y);
    WRITE(READ(gy) * value * (1.0f - value), gx);
  }
}

// y = x * sigmoid(1.702 x)
__kernel void pointwise_quick_gelu_forward(__global const stored *restrict x,
                                           __global stored *restrict y, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(quick_gelu(READ(x)), y);
}

__kernel void pointwise_quick_gelu_backward(__global const stored *restrict x,
                                            __global const stored *restrict gy,
                                            __global stored *restrict gx, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(quick_gelu_gradient(READ(x), READ(gy)), gx);
}

// y = x * normal_integral(x)
__kernel void pointwise_gelu_forward(__global const stored *restrict x, __global stored *restrict y,
                                     int count) {
  FOR_EACH_VECTOR(i, count) WRITE(gelu(READ(x)), y);
}

__kernel void pointwise_gelu_backward(__global const stored *restrict x,
                                      __global const stored *restrict gy,
                                      __global stored *restrict gx, int count) {
  FOR_EACH_VECTOR(i, count) WRITE(gelu_gradient(READ(x), READ(gy)), gx);
}

// y[r, c] = x[r, c] + row[c]
ROW_KERNEL void pointwise_add_row_forward(__global const stored *restrict x,
                                          __global const float *restrict row,
                                          __global stored *restrict y, int rows, int count,
                                          int block) {
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  FOR_EACH_ROW(r, first, end, count) {
    size_t base = (size_t)r * count;
    FOR_EACH_CHANNEL_OF_ROW(c, count) {
      channels sum =
          load_stored(x + base + c, count - c, 0) + load_channels(row + c, count - c, 0);
      store_stored(sum, y + base + c, count - c);
    }
  }
}

// partial[g, c] = sum of gy[r, c] over the rows of block g
ROW_KERNEL void pointwise_add_row_backward(__global const stored *restrict gy,
                                           __global float *restrict partial, int rows, int count,
                                           int block) {
  SUM_SCRATCH
  int first = (int)get_group_id(0) * block;
  int end = min(first + block, rows);
  FOR_EACH_SHARED_COLUMN(c, count) {
    int left = count - c;
    channels sum = 0;
    FOR_EACH_SHARED_ROW(r, first, end, left)
      sum += load_stored(gy + (size_t)r * count + c, left, 0);
    sum = add_over_rows(sum);
    if (STORES_SUM(left))
      store_channels(sum, partial + (size_t)get_group_id(0) * count + c, left);
  }
}

// grow[c] = sum over blocks of partial[g, c]
ROW_KERNEL void pointwise_add_row_backward_fold(__global const float *restrict partial,
                                                __global float *restrict grow, int blocks,
                                                int count) {
  SUM_SCRATCH
  fold_blocks(partial, grow, blocks, count);
}
