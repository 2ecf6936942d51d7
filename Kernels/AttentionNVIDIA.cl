// Attention for NVIDIA GPUs of compute capability 8.0 and up, by tensor cores.
//
// What, layout: as in Attention.cl.
// Launch:  work-group (32 * WARPS, 1, 1) owns OWN = 16 * WARPS rows of one (image, head): queries in
//          forward and backward_query, keys in backward_key_value; groups (n * heads,
//          ceil(length / OWN), 1). The rows of the other side come by STEP at a time through a ring
//          of STAGES pairs of tiles in local memory, which asynchronous copies fill; rows past the
//          end are zeros. A warp computes 16 x STEP scores, which become factors of the next product
//          in the registers that they are in.
//          backward_query writes gq and delta; backward_key_value, after it, gk and gv.
// Parameters:
//          HEAD_WIDTH   columns of one head, a multiple of 16
//          WARPS        1 to 4
//          STEP         16 or 32, 16 for heads wider than 64, whose results fill the registers; the
//                       tiles fit into 48 KiB
//          STAGES       1 or 2
//          BACKWARD     0: the forward kernel; 1: the backward ones, whose tiles take more memory
//          PRECISION    for STORAGE_FLOAT32: PRECISION_TF32X3 or PRECISION_TF32, see Numbers
// Numbers: 16-bit factors are multiplied as they are stored, probabilities and score gradients are
//          rounded to the same type; float32 factors are rounded to tf32, or are the sum of two tf32
//          numbers without the product of the two small ones (TF32X3). Sums and softmax are float32,
//          in a fixed order; the tensor cores' sums, which cut off, span at most HEAD_WIDTH
//          products. Masks as in Attention.cl. Gradients are written.
// Source:  Dao 2023, FlashAttention-2, algorithms 1 and 2; NVIDIA, PTX ISA.

#include "AttentionTiles.clh"

#if !BACKWARD

WARP_KERNEL void attention_forward_nvidia(__global const stored *restrict qkv,
                                          __global const float *restrict mask,
                                          __global stored *restrict y, __global float *restrict lse,
                                          int length, int heads, int mask_stride, int causal,
                                          float scale) {
  __local stored tiles[STAGES * 2 * STEP * PITCH] __attribute__((aligned(128)));
  EXCHANGE(exchange)
  const Place p = place_of(length, heads);
  const int pitch = 3 * p.width, t = p.lane % 4;
  const size_t matrix = (size_t)p.head_row * mask_stride;
  __global const stored *queries = qkv + p.in, *keys = queries + p.width;
  const int steps = ((causal ? min(length, p.first + OWN) : length) + STEP - 1) / STEP;
  fill_pair(tiles, keys, pitch, keys + p.width, pitch, 0, length);
  commit_copies();
  uint elements[DEPTH_SLABS][4];
  UNROLL for (int slab = 0; slab < DEPTH_SLABS; slab++) UNROLL for (int i = 0; i < 4; i++) {
    int row = p.row + i % 2 * 8;
    __global const stored *from = queries + (size_t)min(row, length - 1) * pitch + slab * SLAB;
#if STORAGE == STORAGE_FLOAT32
    uint bits = as_uint(from[t + i / 2 * 4]);
#else
    uint bits = *(__global const uint *)(from + 2 * t + i / 2 * 8);
#endif
    elements[slab][i] = row < length ? bits : 0;
  }
  float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f}, result[BLOCKS][4];
  clear_result(result);
  for (int step = 0; step < steps; step++) {
    BEGIN_STEP(step, steps,
               fill_pair(tiles, keys, pitch, keys + p.width, pitch, step + 1, length))
    __local const stored *key_tile = tiles + step % STAGES * 2 * STEP * PITCH;
    float scores[STEP_BLOCKS][4], factor[2];
    clear_scores(scores);
    UNROLL for (int slab = 0; slab < DEPTH_SLABS; slab++) {
      Fragment a = fragment_of(elements[slab]);
      add_scores(scores, &a, key_tile, slab * SLAB, p.lane, exchange);
    }
    UNROLL for (int upper = 0; upper < 2; upper++) {
      float most = largest[upper];
      UNROLL for (int e = 0; e < 2 * STEP_BLOCKS; e++) {
        int c = 2 * upper + e % 2, j = step * STEP + e / 2 * 8 + 2 * t + e % 2;
        float score = masked_score(scores[e / 2][c], scale, mask, matrix, length,
                                   p.row + 8 * upper, j, causal);
        scores[e / 2][c] = score;
        most = fmax(most, score);
      }
      most = quad_max(most, exchange);
      float shift = most == -INFINITY ? 0.0f : most;
      factor[upper] = POWER(largest[upper] - shift);
      largest[upper] = most;
      float sum = 0.0f;
      UNROLL for (int e = 0; e < 2 * STEP_BLOCKS; e++) {
        float power = POWER(scores[e / 2][2 * upper + e % 2] - shift);
        scores[e / 2][2 * upper + e % 2] = power;
        sum += power;
      }
      total[upper] = fma(total[upper], factor[upper], sum);
    }
    combine_rows(result, factor, scores, key_tile + STEP * PITCH, p.lane, exchange);
    END_STEP(step, steps, fill_pair(tiles, keys, pitch, keys + p.width, pitch, step + 1, length))
  }
  float inverse[2];
  UNROLL for (int upper = 0; upper < 2; upper++) {
    float sum = quad_add(total[upper], exchange);
    inverse[upper] = sum > 0.0f ? 1.0f / sum : 0.0f;
    if (t == 0 && p.row + 8 * upper < length)
      lse[(size_t)p.head_row * length + p.row + 8 * upper] =
          sum > 0.0f ? largest[upper] + log(sum) : INFINITY;
  }
  store_rows(result, inverse, p, y + p.out, p.width);
}

#else

// Writes gq and delta.
WARP_KERNEL void attention_backward_query_nvidia(
    __global const stored *restrict qkv, __global const float *restrict mask,
    __global const stored *restrict y, __global const stored *restrict gy,
    __global const float *restrict lse, __global float *restrict delta,
    __global stored *restrict gqkv, int length, int heads, int mask_stride, int causal,
    float scale) {
  __local stored own[2 * OWN * PITCH] __attribute__((aligned(128)));
  __local stored tiles[STAGES * 2 * STEP * PITCH] __attribute__((aligned(128)));
  EXCHANGE(exchange)
  const Place p = place_of(length, heads);
  const int pitch = 3 * p.width, t = p.lane % 4;
  const size_t matrix = (size_t)p.head_row * mask_stride, sums = (size_t)p.head_row * length;
  __global const stored *queries = qkv + p.in, *keys = queries + p.width;
  const int steps = ((causal ? min(length, p.first + OWN) : length) + STEP - 1) / STEP;
  fill_tile(own, queries, pitch, p.first, OWN, length);
  fill_tile(own + OWN * PITCH, gy + p.out, p.width, p.first, OWN, length);
  fill_pair(tiles, keys, pitch, keys + p.width, pitch, 0, length);
  commit_copies();
  float shift[2], difference[2];
  UNROLL for (int upper = 0; upper < 2; upper++) {
    int row = p.row + 8 * upper;
    float sum = 0.0f;
    shift[upper] = 0.0f;
    if (row < length) {
      size_t from = p.out + (size_t)row * p.width + 2 * t;
      UNROLL for (int j = 0; j < BLOCKS; j++) {
        float2 product = load_pair(gy + from + 8 * j) * load_pair(y + from + 8 * j);
        sum += product.x + product.y;
      }
      shift[upper] = lse[sums + row];
    }
    difference[upper] = quad_add(sum, exchange);
    if (t == 0 && row < length)
      delta[sums + row] = difference[upper];
  }
  float result[BLOCKS][4];
  clear_result(result);
  for (int step = 0; step < steps; step++) {
    BEGIN_STEP(step, steps,
               fill_pair(tiles, keys, pitch, keys + p.width, pitch, step + 1, length))
    __local const stored *key_tile = tiles + step % STAGES * 2 * STEP * PITCH;
    float products[2][STEP_BLOCKS][4];
    multiply_tiles(products, own, key_tile, p.lane, exchange);
    UNROLL for (int block = 0; block < STEP_BLOCKS; block++) UNROLL for (int c = 0; c < 4; c++) {
      int i = p.row + c / 2 * 8, j = step * STEP + block * 8 + 2 * t + c % 2;
      float score =
          masked_score(products[0][block][c], scale, mask, matrix, length, i, j, causal);
      products[1][block][c] =
          POWER(score - shift[c / 2]) * (products[1][block][c] - difference[c / 2]);
    }
    const float kept[2] = {1.0f, 1.0f};
    combine_rows(result, kept, products[1], key_tile, p.lane, exchange);
    END_STEP(step, steps, fill_pair(tiles, keys, pitch, keys + p.width, pitch, step + 1, length))
  }
  const float scales[2] = {scale, scale};
  store_rows(result, scales, p, gqkv + p.in, pitch);
}

// The results of keys and values are computed in two passes where both outgrow the registers.
#define PASSES (HEAD_WIDTH > 64 ? 2 : 1)

// Writes gk and gv; reads delta. Rows of scores are keys here and columns queries.
WARP_KERNEL void attention_backward_key_value_nvidia(
    __global const stored *restrict qkv, __global const float *restrict mask,
    __global const stored *restrict gy, __global const float *restrict lse,
    __global const float *restrict delta, __global stored *restrict gqkv, int length, int heads,
    int mask_stride, int causal, float scale) {
  __local stored own[2 * OWN * PITCH] __attribute__((aligned(128)));
  __local stored tiles[STAGES * 2 * STEP * PITCH] __attribute__((aligned(128)));
  EXCHANGE(exchange)
  const Place p = place_of(length, heads);
  const int pitch = 3 * p.width, t = p.lane % 4;
  const size_t matrix = (size_t)p.head_row * mask_stride, sums = (size_t)p.head_row * length;
  __global const stored *queries = qkv + p.in, *keys = queries + p.width;
  const int first = causal ? p.first / STEP : 0, end = (length + STEP - 1) / STEP;
  const float kept[2] = {1.0f, 1.0f}, scales[2] = {scale, scale};
  fill_tile(own, keys, pitch, p.first, OWN, length);
  fill_tile(own + OWN * PITCH, keys + p.width, pitch, p.first, OWN, length);
  for (int pass = 0; pass < PASSES; pass++) {
    fill_pair(tiles, queries, pitch, gy + p.out, p.width, first, length);
    commit_copies();
    // Of values and of keys, or what this pass computes of them.
    float results[2 / PASSES][BLOCKS][4];
    UNROLL for (int n = 0; n < 2 / PASSES; n++) clear_result(results[n]);
    for (int step = first; step < end; step++) {
      BEGIN_STEP(step, end,
                 fill_pair(tiles, queries, pitch, gy + p.out, p.width, step + 1, length))
      __local const stored *query_tile = tiles + step % STAGES * 2 * STEP * PITCH;
      float products[2][STEP_BLOCKS][4];
      multiply_tiles(products, own, query_tile, p.lane, exchange);
      UNROLL for (int e = 0; e < 2 * STEP_BLOCKS; e++) {
        int i = step * STEP + e / 2 * 8 + 2 * t + e % 2;
        float shift = i < length ? lse[sums + i] : 0.0f;
        float difference = i < length ? delta[sums + i] : 0.0f;
        UNROLL for (int upper = 0; upper < 2; upper++) {
          int c = 2 * upper + e % 2;
          float score = masked_score(products[0][e / 2][c], scale, mask, matrix, length, i,
                                     p.row + 8 * upper, causal);
          float probability = POWER(score - shift);
          float slope = probability * (products[1][e / 2][c] - difference);
          products[0][e / 2][c] = PASSES > 1 && pass == 1 ? slope : probability;
          products[1][e / 2][c] = slope;
        }
      }
      UNROLL for (int n = 0; n < 2 / PASSES; n++) {
        int is_key = n + pass;
        combine_rows(results[n], kept, products[n], query_tile + (1 - is_key) * STEP * PITCH,
                     p.lane, exchange);
      }
      END_STEP(step, end,
               fill_pair(tiles, queries, pitch, gy + p.out, p.width, step + 1, length))
    }
    UNROLL for (int n = 0; n < 2 / PASSES; n++) {
      int is_key = n + pass;
      store_rows(results[n], is_key ? scales : kept, p,
                 gqkv + p.in + (is_key ? 1 : 2) * p.width, pitch);
    }
  }
}

#endif
