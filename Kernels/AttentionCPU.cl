// Multi-head self-attention for CPUs: same formulas, buffers and numbers as Attention.cl.
//
// What:    see Attention.cl; QUERIES rows of scores at a time, a head's keys and values in local
//          memory, vectors over the keys for scores and over the head's columns for sums.
// Layout:  see Attention.cl. Local: keys_t, values_t [HEAD_WIDTH, pitch] (transposed); keys,
//          values, gkeys, gvalues [length, PADDED_WIDTH]; scores, slopes [QUERIES, pitch].
//          PADDED_WIDTH = HEAD_WIDTH padded with zeros to 16.
// Launch:  one work-item a work-group, which owns one (n, h) = get_group_id(0). The host passes
//          pitch: length padded to KEY_STEP, plus 16 to stay off powers of two.
// Parameters:
//          HEAD_WIDTH   columns of one head, any
// Numbers: see Attention.cl. qkv, y and their gradients are activations (Common/Storage.clh), widened
//          when they are loaded; sums of products are float32.
// Source:  see Attention.cl.

#include "Common/Channels.clh"
#include "Common/Transpose.clh"
#include "Common/Vectors.clh"

#if DEVICE_IS_CPU

#ifndef HEAD_WIDTH
#define HEAD_WIDTH 64
#endif
// Rows of scores in registers; keys of one step (two vectors).
#define QUERIES 8
#define KEY_STEP 32
#define PADDED_WIDTH ((HEAD_WIDTH + 15) / 16 * 16)

#define CPU_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))

static inline float16 load_columns(__global const stored *p, int c) {
  if (c + 16 <= HEAD_WIDTH)
    return load_elements_16(p + c);
  float part[16];
  for (int i = 0; i < 16; i++)
    part[i] = c + i < HEAD_WIDTH ? load_element(p + c + i) : 0;
  return vload16(0, part);
}

static inline void store_columns(float16 value, __global stored *p, int c) {
  if (c + 16 <= HEAD_WIDTH) {
    store_elements_16(value, p + c);
    return;
  }
  float part[16];
  vstore16(value, 0, part);
  for (int i = 0; c + i < HEAD_WIDTH; i++)
    store_element(part[i], p + c + i);
}

// to[j, c] = from[j * stride + c]
static void copy_rows(__global const stored *from, int stride, __local float *to, int length) {
  for (int j = 0; j < length; j++)
    for (int c = 0; c < PADDED_WIDTH; c += 16)
      vstore16(load_columns(from + (size_t)j * stride, c), 0, to + j * PADDED_WIDTH + c);
}

// to[c, j] = from[j * stride + c], 0 from `length` to `pitch`
static void copy_transposed(__global const stored *from, int stride, __local float *to, int length,
                            int pitch) {
  // The pitch is a multiple of 16, so that whole blocks fill a row up to its end.
  for (int j = 0; j < pitch; j += 16) {
    __global const stored *rows = from + (size_t)j * stride;
    int present = clamp(length - j, 0, 16);
    for (int c = 0; c + 16 <= HEAD_WIDTH; c += 16)
      transpose_block(to + c * pitch + j, pitch, rows + c, stride, present);
    for (int c = HEAD_WIDTH / 16 * 16; c < HEAD_WIDTH; c++)
      for (int i = 0; i < 16; i++)
        to[c * pitch + j + i] = i < present ? load_element(rows + (size_t)i * stride + c) : 0;
  }
}

// to[r, c] = from[r * stride + c] for r < count, 0 for count <= r < QUERIES
static void copy_block(__global const stored *from, int stride, __local float *to, int count) {
  copy_rows(from, stride, to, count);
  for (int e = count * PADDED_WIDTH; e < QUERIES * PADDED_WIDTH; e += 16)
    vstore16((float16)0, 0, to + e);
}

// scores[r, j] = rows[r] . columns[., j] for j < end rounded up to KEY_STEP
static void multiply_rows(__local const float *rows, __local const float *columns,
                          __local float *scores, int end, int pitch) {
  for (int j = 0; j < end; j += KEY_STEP) {
    float16 sums[QUERIES][2];
    UNROLL for (int r = 0; r < QUERIES; r++) sums[r][0] = sums[r][1] = 0;
    for (int c = 0; c < HEAD_WIDTH; c++) {
      float16 low = vload16(0, columns + c * pitch + j);
      float16 high = vload16(1, columns + c * pitch + j);
      UNROLL for (int r = 0; r < QUERIES; r++) {
        float16 factor = rows[r * PADDED_WIDTH + c];
        sums[r][0] = multiply_add(factor, low, sums[r][0]);
        sums[r][1] = multiply_add(factor, high, sums[r][1]);
      }
    }
    UNROLL for (int r = 0; r < QUERIES; r++) {
      vstore16(sums[r][0], 0, scores + r * pitch + j);
      vstore16(sums[r][1], 1, scores + r * pitch + j);
    }
  }
}

// out[r, c] = factor[r] * sum over j < end of weights[r, j] * matrix[j, c] for r < count
static void combine_rows(__local const float *weights, __local const float *matrix,
                         const float *factors, __global stored *out, int stride, int count, int end,
                         int pitch) {
  for (int c = 0; c < PADDED_WIDTH; c += 16) {
    float16 sums[QUERIES];
    UNROLL for (int r = 0; r < QUERIES; r++) sums[r] = 0;
    for (int j = 0; j < end; j++) {
      float16 row = vload16(0, matrix + j * PADDED_WIDTH + c);
      UNROLL for (int r = 0; r < QUERIES; r++) sums[r] =
          multiply_add((float16)(weights[r * pitch + j]), row, sums[r]);
    }
    UNROLL for (int r = 0; r < QUERIES; r++) if (r < count)
        store_columns(factors[r] * sums[r], out + (size_t)r * stride, c);
  }
}

// matrix[j, c] += sum over r of weights[r, j] * rows[r, c] for j < end
static void add_products(__local const float *weights, __local const float *rows,
                         __local float *matrix, int end, int pitch) {
  for (int c = 0; c < PADDED_WIDTH; c += 16) {
    float16 values[QUERIES];
    UNROLL for (int r = 0; r < QUERIES; r++) values[r] = vload16(0, rows + r * PADDED_WIDTH + c);
    for (int j = 0; j < end; j++) {
      float16 sum = vload16(0, matrix + j * PADDED_WIDTH + c);
      UNROLL for (int r = 0; r < QUERIES; r++) sum =
          multiply_add((float16)(weights[r * pitch + j]), values[r], sum);
      vstore16(sum, 0, matrix + j * PADDED_WIDTH + c);
    }
  }
}

// scale * product + mask at keys j to j + 15 of query i, -inf past the last key that it may see.
static inline float16 masked_scores(__local const float *products, float scale,
                                    __global const float *mask, int j, int seen) {
  float16 value = scale * vload16(0, products + j);
  if (mask)
    value += load_channels(mask + j, max(1, seen - j), -INFINITY);
  if (j + 16 > seen) {
    int16 key = j + (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    value = key < seen ? value : (float16)(-INFINITY);
  }
  return value;
}

CPU_KERNEL void attention_forward_cpu(__global const stored *restrict qkv,
                                      __global const float *restrict mask,
                                      __global stored *restrict y, __global float *restrict lse,
                                      __local float *restrict keys_t,
                                      __local float *restrict values,
                                      __local float *restrict scores, int length, int heads,
                                      int mask_stride, int causal, float scale, int pitch) {
  __local float queries[QUERIES * PADDED_WIDTH] __attribute__((aligned(64)));
  int head_row = (int)get_group_id(0);
  int image = head_row / heads, head = head_row - image * heads;
  int width = heads * HEAD_WIDTH, stride = 3 * width;
  __global const stored *base = qkv + (size_t)image * length * stride + head * HEAD_WIDTH;
  copy_transposed(base + width, stride, keys_t, length, pitch);
  copy_rows(base + 2 * width, stride, values, length);
  y += (size_t)image * length * width + head * HEAD_WIDTH;
  for (int i0 = 0; i0 < length; i0 += QUERIES) {
    int count = min(QUERIES, length - i0);
    copy_block(base + (size_t)i0 * stride, stride, queries, count);
    int end = causal ? min(length, i0 + QUERIES) : length;
    multiply_rows(queries, keys_t, scores, end, pitch);
    float factors[QUERIES], shifts[QUERIES], totals[QUERIES];
    for (int r = 0; r < QUERIES; r++) {
      shifts[r] = 0;
      totals[r] = 0;
    }
    for (int r = 0; r < count; r++) {
      int i = i0 + r;
      int seen = causal ? i + 1 : length;
      __local float *row = scores + r * pitch;
      __global const float *mask_row =
          mask ? mask + (size_t)head_row * mask_stride + (size_t)i * length : 0;
      float16 largest = -INFINITY;
      for (int j = 0; j < end; j += 16) {
        float16 value = masked_scores(row, scale, mask_row, j, seen);
        vstore16(value, 0, row + j);
        largest = fmax(largest, value);
      }
      float top = max_across(largest);
      float shift = top == -INFINITY ? 0 : top;
      float16 sums = 0;
      for (int j = 0; j < end; j += 16) {
        float16 value = exp(vload16(0, row + j) - shift);
        vstore16(value, 0, row + j);
        sums += value;
      }
      float sum = add_across(sums);
      factors[r] = sum > 0 ? 1.0f / sum : 0;
      shifts[r] = shift;
      totals[r] = sum;
    }
    // One logarithm of a vector costs no more than one of a number.
    float logs[QUERIES];
    vstore8(vload8(0, shifts) + log(vload8(0, totals)), 0, logs);
    for (int r = 0; r < count; r++)
      lse[(size_t)head_row * length + i0 + r] = totals[r] > 0 ? logs[r] : INFINITY;
    combine_rows(scores, values, factors, y + (size_t)i0 * width, width, count, end, pitch);
  }
}

CPU_KERNEL void attention_backward_cpu(
    __global const stored *restrict qkv, __global const float *restrict mask,
    __global const stored *restrict y, __global const stored *restrict gy,
    __global const float *restrict lse, __global stored *restrict gqkv,
    __local float *restrict keys_t, __local float *restrict values_t, __local float *restrict keys,
    __local float *restrict gkeys, __local float *restrict gvalues, __local float *restrict scores,
    __local float *restrict slopes, int length, int heads, int mask_stride, int causal, float scale,
    int pitch) {
  __local float gradients[QUERIES * PADDED_WIDTH] __attribute__((aligned(64)));
  __local float queries[QUERIES * PADDED_WIDTH] __attribute__((aligned(64)));
  int head_row = (int)get_group_id(0);
  int image = head_row / heads, head = head_row - image * heads;
  int width = heads * HEAD_WIDTH, stride = 3 * width;
  __global const stored *base = qkv + (size_t)image * length * stride + head * HEAD_WIDTH;
  copy_transposed(base + width, stride, keys_t, length, pitch);
  copy_transposed(base + 2 * width, stride, values_t, length, pitch);
  copy_rows(base + width, stride, keys, length);
  for (int e = 0; e < length * PADDED_WIDTH; e += 16) {
    vstore16((float16)0, 0, gkeys + e);
    vstore16((float16)0, 0, gvalues + e);
  }
  y += (size_t)image * length * width + head * HEAD_WIDTH;
  gy += (size_t)image * length * width + head * HEAD_WIDTH;
  gqkv += (size_t)image * length * stride + head * HEAD_WIDTH;
  for (int i0 = 0; i0 < length; i0 += QUERIES) {
    int count = min(QUERIES, length - i0);
    copy_block(base + (size_t)i0 * stride, stride, queries, count);
    copy_block(gy + (size_t)i0 * width, width, gradients, count);
    int end = causal ? min(length, i0 + QUERIES) : length;
    multiply_rows(queries, keys_t, scores, end, pitch);
    multiply_rows(gradients, values_t, slopes, end, pitch);
    float factors[QUERIES];
    for (int r = 0; r < QUERIES; r++) {
      int i = i0 + r;
      factors[r] = scale;
      // A row past the end sees nothing: its weights are 0.
      int seen = r < count ? (causal ? i + 1 : length) : 0;
      float shift = 0, delta = 0;
      __global const float *mask_row = 0;
      if (r < count) {
        shift = lse[(size_t)head_row * length + i];
        float16 products = 0;
        for (int c = 0; c < PADDED_WIDTH; c += 16)
          products += vload16(0, gradients + r * PADDED_WIDTH + c) *
                      load_columns(y + (size_t)i * width, c);
        delta = add_across(products);
        mask_row = mask ? mask + (size_t)head_row * mask_stride + (size_t)i * length : 0;
      }
      for (int j = 0; j < end; j += 16) {
        float16 weight = exp(masked_scores(scores + r * pitch, scale, mask_row, j, seen) - shift);
        vstore16(weight, 0, scores + r * pitch + j);
        float16 slope = vload16(0, slopes + r * pitch + j) - delta;
        vstore16(weight * slope, 0, slopes + r * pitch + j);
      }
    }
    combine_rows(slopes, keys, factors, gqkv + (size_t)i0 * stride, stride, count, end, pitch);
    add_products(scores, gradients, gvalues, end, pitch);
    add_products(slopes, queries, gkeys, end, pitch);
  }
  for (int j = 0; j < length; j++) {
    __global stored *out = gqkv + (size_t)j * stride;
    for (int c = 0; c < PADDED_WIDTH; c += 16) {
      store_columns(scale * vload16(0, gkeys + j * PADDED_WIDTH + c), out + width, c);
      store_columns(vload16(0, gvalues + j * PADDED_WIDTH + c), out + 2 * width, c);
    }
  }
}

#endif
