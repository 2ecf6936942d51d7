// Multi-head self-attention without a stored score matrix.
//
// What:    per image n and head h, with q, k, v = three slices of qkv and d = HEAD_WIDTH:
//          s[i, j] = scale * q[i] . k[j] + mask[i, j] (-inf for j > i when causal),
//          scale = 1 / sqrt(d); lse[i] = log sum_j exp(s[i, j]);
//          p[i, j] = exp(s[i, j] - lse[i]); y[i] = sum_j p[i, j] v[j].
//          Backward: delta[i] = gy[i] . y[i];
//          ds[i, j] = p[i, j] * (gy[i] . v[j] - delta[i]) * scale;
//          gv[j] = sum_i p[i, j] gy[i]; gq[i] = sum_j ds[i, j] k[j]; gk[j] = sum_i ds[i, j] q[i].
// Layout:  qkv [n, length, 3 * width], q in columns h * d + c, k in width + h * d + c, v in
//          2 * width + h * d + c; y, gy [n, length, width]; gqkv as qkv; lse, delta
//          [n * heads + h, length]; mask [length, length] at every mask_stride floats for each
//          n * heads + h (0: one mask for all), or null.
// Launch:  ComputeStream.launchRows; a work-group owns one (n, h, i), or one (n, h, j) in
//          backward_key_value; local memory: length floats, 2 * length there.
// Parameters:
//          HEAD_WIDTH   columns of one head, any
// Numbers: qkv, y, gy, gqkv are stored as Common/Storage.clh says; arithmetic, mask, lse and delta are
//          float32, in a fixed order. Mask entries may be -inf; a row of -inf alone gives y = 0, gradient
//          0 and lse = +inf. Gradients are written.
// Source:  Vaswani et al. 2017; backward from the log-sum-exp as in Dao et al. 2022.

#include "Common/Channels.clh"

#ifndef HEAD_WIDTH
#define HEAD_WIDTH 64
#endif

// The score of one pair, given its dot product.
static inline float masked_score(float product, float scale, __global const float *mask, size_t row,
                                 int i, int j, int causal) {
  if (causal && j > i)
    return -INFINITY;
  return mask ? scale * product + mask[row + j] : scale * product;
}

static inline float dot_rows(__global const stored *a, __global const stored *b) {
  float sum = 0;
  for (int c = 0; c < HEAD_WIDTH; c++)
    sum = multiply_add(load_element(a + c), load_element(b + c), sum);
  return sum;
}

ROW_KERNEL void attention_forward_row(__global const stored *restrict qkv,
                                      __global const float *restrict mask,
                                      __global stored *restrict y, __global float *restrict lse,
                                      __local float *scores, int length, int heads,
                                      int mask_stride, int causal, float scale) {
  ROW_SCRATCH
  int head_row = (int)get_group_id(0) / length;
  int i = (int)get_group_id(0) - head_row * length;
  int image = head_row / heads, head = head_row - image * heads;
  int width = heads * HEAD_WIDTH, stride = 3 * width;
  __global const stored *base = qkv + (size_t)image * length * stride + head * HEAD_WIDTH;
  __global const stored *query = base + (size_t)i * stride;
  size_t mask_row = (size_t)head_row * mask_stride + (size_t)i * length;
  float largest = -INFINITY;
  for (int j = LANE; j < length; j += LANES) {
    float product = dot_rows(query, base + width + (size_t)j * stride);
    scores[j] = masked_score(product, scale, mask, mask_row, i, j, causal);
    largest = fmax(largest, scores[j]);
  }
  largest = group_max(largest);
  float shift = largest == -INFINITY ? 0 : largest;
  float sum = 0;
  for (int j = LANE; j < length; j += LANES) {
    scores[j] = exp(scores[j] - shift);
    sum += scores[j];
  }
  sum = group_add(sum);
  float inverse = sum > 0 ? 1.0f / sum : 0;
  for (int c = LANE; c < HEAD_WIDTH; c += LANES) {
    float value = 0;
    for (int j = 0; j < length; j++)
      value =
          multiply_add(scores[j], load_element(base + 2 * width + (size_t)j * stride + c), value);
    store_element(inverse * value,
                  y + ((size_t)image * length + i) * width + head * HEAD_WIDTH + c);
  }
  if (LANE == 0)
    lse[get_group_id(0)] = sum > 0 ? shift + log(sum) : INFINITY;
}

// Writes gq and delta.
ROW_KERNEL void attention_backward_query_row(
    __global const stored *restrict qkv, __global const float *restrict mask,
    __global const stored *restrict y, __global const stored *restrict gy,
    __global const float *restrict lse, __global float *restrict delta,
    __global stored *restrict gqkv, __local float *scores, int length, int heads, int mask_stride,
    int causal, float scale) {
  ROW_SCRATCH
  int head_row = (int)get_group_id(0) / length;
  int i = (int)get_group_id(0) - head_row * length;
  int image = head_row / heads, head = head_row - image * heads;
  int width = heads * HEAD_WIDTH, stride = 3 * width;
  __global const stored *base = qkv + (size_t)image * length * stride + head * HEAD_WIDTH;
  size_t out = ((size_t)image * length + i) * width + head * HEAD_WIDTH;
  size_t mask_row = (size_t)head_row * mask_stride + (size_t)i * length;
  float part = 0;
  for (int c = LANE; c < HEAD_WIDTH; c += LANES)
    part += load_element(gy + out + c) * load_element(y + out + c);
  float difference = group_add(part);
  if (LANE == 0)
    delta[get_group_id(0)] = difference;
  for (int j = LANE; j < length; j += LANES) {
    __global const stored *key = base + width + (size_t)j * stride;
    float product = dot_rows(base + (size_t)i * stride, key);
    float score = masked_score(product, scale, mask, mask_row, i, j, causal);
    scores[j] = exp(score - lse[get_group_id(0)]) * (dot_rows(gy + out, key + width) - difference);
  }
  group_barrier();
  for (int c = LANE; c < HEAD_WIDTH; c += LANES) {
    float value = 0;
    for (int j = 0; j < length; j++)
      value = multiply_add(scores[j], load_element(base + width + (size_t)j * stride + c), value);
    store_element(scale * value,
                  gqkv + ((size_t)image * length + i) * stride + head * HEAD_WIDTH + c);
  }
}

// Writes gk and gv; reads delta.
ROW_KERNEL void attention_backward_key_value_row(
    __global const stored *restrict qkv, __global const float *restrict mask,
    __global const stored *restrict gy, __global const float *restrict lse,
    __global const float *restrict delta, __global stored *restrict gqkv, __local float *weights,
    int length, int heads, int mask_stride, int causal, float scale) {
  int head_row = (int)get_group_id(0) / length;
  int j = (int)get_group_id(0) - head_row * length;
  int image = head_row / heads, head = head_row - image * heads;
  int width = heads * HEAD_WIDTH, stride = 3 * width;
  __global const stored *base = qkv + (size_t)image * length * stride + head * HEAD_WIDTH;
  __global const stored *key = base + width + (size_t)j * stride;
  __global const stored *gradient = gy + (size_t)image * length * width + head * HEAD_WIDTH;
  for (int i = LANE; i < length; i += LANES) {
    size_t row = (size_t)head_row * length + i;
    size_t mask_row = (size_t)head_row * mask_stride + (size_t)i * length;
    float product = dot_rows(base + (size_t)i * stride, key);
    float score = masked_score(product, scale, mask, mask_row, i, j, causal);
    float probability = exp(score - lse[row]);
    weights[i] = probability;
    float slope = dot_rows(gradient + (size_t)i * width, key + width) - delta[row];
    weights[length + i] = probability * slope;
  }
  group_barrier();
  for (int c = LANE; c < HEAD_WIDTH; c += LANES) {
    float key_sum = 0, value_sum = 0;
    for (int i = 0; i < length; i++) {
      value_sum =
          multiply_add(weights[i], load_element(gradient + (size_t)i * width + c), value_sum);
      key_sum =
          multiply_add(weights[length + i], load_element(base + (size_t)i * stride + c), key_sum);
    }
    __global stored *out =
        gqkv + ((size_t)image * length + j) * stride + width + head * HEAD_WIDTH + c;
    store_element(scale * key_sum, out);
    store_element(value_sum, out + width);
  }
}
