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

#include "Common/Storage.clh"
#include "TensorCores.clh"

#define PRECISION_TF32X3 0
#define PRECISION_TF32 1

#ifndef HEAD_WIDTH
#define HEAD_WIDTH 64
#endif
#ifndef WARPS
#define WARPS 2
#endif
#ifndef STEP
#define STEP 32
#endif
#ifndef STAGES
#define STAGES 1
#endif
#ifndef BACKWARD
#define BACKWARD 0
#endif
#ifndef PRECISION
#define PRECISION PRECISION_TF32X3
#endif

#define ITEMS (WARP * WARPS)
#define OWN (16 * WARPS)
#define IS_SPLIT (STORAGE == STORAGE_FLOAT32 && PRECISION == PRECISION_TF32X3)
// CHUNK: elements of one copy. SLAB: depth of one product.
#if STORAGE == STORAGE_FLOAT32
#define CHUNK 4
#define SLAB 8
#define COPY copy_async_4
#define MULTIPLY_ADD multiply_add_together_tf32
#else
#define CHUNK 8
#define SLAB 16
#define COPY copy_async_8
#if STORAGE == STORAGE_BFLOAT16
#define MULTIPLY_ADD multiply_add_together_bf16
#define PACK bf16_pair
#else
#define MULTIPLY_ADD multiply_add_together_f16
#define PACK f16_pair
#endif
#endif
// Rows of a tile are an odd number of chunks apart, so that 8 rows start in different banks.
#define PITCH (HEAD_WIDTH + CHUNK)
#define DEPTH_SLABS (HEAD_WIDTH / SLAB)
#define STEP_SLABS (STEP / SLAB)
// Blocks of 8 columns of a result and of scores.
#define BLOCKS (HEAD_WIDTH / 8)
#define STEP_BLOCKS (STEP / 8)

#define WARP_KERNEL __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1)))

// 16-bit numbers of which an infinite exponent is the only large one need no more than the
// hardware's exponential.
#if STORAGE == STORAGE_FLOAT32
#define POWER(x) exp(x)
#else
#define POWER(x) native_exp(x)
#endif

// What a work-item does.
typedef struct {
  int head_row, length, width, lane;
  // The first row of the group and the lane's first row; the other one is 8 below.
  int first, row;
  // Offsets of the head in qkv and in y.
  size_t in, out;
} Place;

INLINED Place place_of(int length, int heads) {
  Place p;
  p.head_row = (int)get_group_id(0);
  p.length = length;
  p.width = heads * HEAD_WIDTH;
  p.lane = (int)get_local_id(0) % WARP;
  p.first = (int)get_group_id(1) * OWN;
  p.row = p.first + (int)get_local_id(0) / WARP * 16 + p.lane / 4;
  int image = p.head_row / heads, head = p.head_row - image * heads;
  p.in = (size_t)image * length * 3 * p.width + head * HEAD_WIDTH;
  p.out = (size_t)image * length * p.width + head * HEAD_WIDTH;
  return p;
}

// Starts to copy rows first..<first + count of a head to a tile.
INLINED void fill_tile(__local stored *tile, __global const stored *from, int pitch, int first,
                       int count, int length) {
  for (int e = get_local_id(0); e < count * (HEAD_WIDTH / CHUNK); e += ITEMS) {
    int row = e / (HEAD_WIDTH / CHUNK), c = e % (HEAD_WIDTH / CHUNK) * CHUNK;
    int exists = first + row < length;
    COPY(tile + row * PITCH + c, from + (exists ? (size_t)(first + row) * pitch + c : 0),
         exists ? CHUNK : 0);
  }
}

// Two neighbours of a row.
INLINED float2 load_pair(__global const stored *p) {
#if STORAGE == STORAGE_FLOAT32
  return *(__global const float2 *)p;
#elif STORAGE == STORAGE_BFLOAT16
  uint pair = *(__global const uint *)p;
  return (float2)(as_float(pair << 16), as_float(pair & 0xffff0000u));
#else
  return vload_half2(0, (__global const half *)p);
#endif
}

INLINED void store_pair(float x, float y, __global stored *p) {
#if STORAGE == STORAGE_FLOAT32
  *(__global float2 *)p = (float2)(x, y);
#else
  *(__global uint *)p = PACK(x, y);
#endif
}

// A lane's factors as the tensor cores take them, and what rounding them left.
typedef struct {
  uint factors[4], rests[4];
} Fragment;

// The fragment of stored elements: 16-bit pairs or the bits of floats.
INLINED Fragment fragment_of(const uint *elements) {
  Fragment fragment;
  UNROLL for (int i = 0; i < 4; i++) {
#if STORAGE == STORAGE_FLOAT32
    fragment.factors[i] = tf32_bits(as_float(elements[i]));
    fragment.rests[i] =
        IS_SPLIT ? tf32_bits(as_float(elements[i]) - as_float(fragment.factors[i])) : 0;
#else
    fragment.factors[i] = elements[i];
    fragment.rests[i] = 0;
#endif
  }
  return fragment;
}

// 16 rows of a tile by the slab at depth k, as a left operand; as a right one, whose columns are the
// rows, columns 0..<8 are elements 0 and 2 and columns 8..<16 elements 1 and 3.
INLINED Fragment rows_of_tile(__local const stored *tile, int row, int k, int lane,
                              __local uint *exchange) {
  uint elements[4];
#if STORAGE == STORAGE_FLOAT32
  __local const float *from = tile + (row + lane / 4) * PITCH + k + lane % 4;
  UNROLL for (int i = 0; i < 4; i++) elements[i] = as_uint(from[i % 2 * 8 * PITCH + i / 2 * 4]);
#else
  load_matrices_together(elements, tile, (row + lane % 16) * PITCH + k + lane / 16 * 8, exchange);
#endif
  return fragment_of(elements);
}

// The slab of rows from `row` on by 16 columns, as a right operand whose depth are the rows: columns
// 0..<8 are elements 0 and 1, columns 8..<16 elements 2 and 3. The depths of a slab are in the order
// of weights_of_scores.
INLINED Fragment columns_of_tile(__local const stored *tile, int row, int column, int lane,
                                 __local uint *exchange) {
  uint elements[4];
#if STORAGE == STORAGE_FLOAT32
  __local const float *from = tile + (row + lane % 4 * 2) * PITCH + column + lane / 4;
  UNROLL for (int i = 0; i < 4; i++) elements[i] = as_uint(from[i % 2 * PITCH + i / 2 * 8]);
#else
  load_matrices_transposed_together(elements, tile,
                                    (row + lane % 16) * PITCH + column + lane / 16 * 8, exchange);
#endif
  return fragment_of(elements);
}

// Slab `slab` of a warp's scores as a left operand. A lane keeps what it has: of a tf32 slab depth t
// stands for column 2t and depth t + 4 for column 2t + 1.
INLINED Fragment weights_of_scores(float scores[STEP_BLOCKS][4], int slab) {
  uint elements[4];
  UNROLL for (int i = 0; i < 4; i++) {
#if STORAGE == STORAGE_FLOAT32
    elements[i] = as_uint(scores[slab][i % 2 * 2 + i / 2]);
#else
    int block = 2 * slab + i / 2, c = i % 2 * 2;
    elements[i] = PACK(scores[block][c], scores[block][c + 1]);
#endif
  }
  return fragment_of(elements);
}

// Products that make one, small ones first.
#define TERMS (IS_SPLIT ? 3 : 1)

// Adds the product of a and of the 16 columns of b to two blocks of 8 columns; block n takes elements
// n * block and n * block + pair of b.
INLINED void multiply(float sum[2][4], const Fragment *a, const Fragment *b, int block, int pair,
                      __local uint *exchange) {
  UNROLL for (int term = 3 - TERMS; term < 3; term++) UNROLL for (int n = 0; n < 2; n++) {
    uint left[4], right[2];
    UNROLL for (int i = 0; i < 4; i++) left[i] = term == 0 ? a->rests[i] : a->factors[i];
    UNROLL for (int i = 0; i < 2; i++) {
      int e = n * block + i * pair;
      right[i] = term == 1 ? b->rests[e] : b->factors[e];
    }
    MULTIPLY_ADD(sum[n], left, right, exchange);
  }
}

INLINED void clear_scores(float scores[STEP_BLOCKS][4]) {
  UNROLL for (int j = 0; j < STEP_BLOCKS; j++) UNROLL for (int c = 0; c < 4; c++) scores[j][c] =
      0.0f;
}

INLINED void clear_result(float result[BLOCKS][4]) {
  UNROLL for (int j = 0; j < BLOCKS; j++) UNROLL for (int c = 0; c < 4; c++) result[j][c] = 0.0f;
}

// Adds slab k of `a` by the rows of a tile.
INLINED void add_scores(float scores[STEP_BLOCKS][4], const Fragment *a,
                        __local const stored *tile, int k, int lane, __local uint *exchange) {
  UNROLL for (int j = 0; j < STEP_BLOCKS; j += 2) {
    Fragment b = rows_of_tile(tile, 8 * j, k, lane, exchange);
    multiply(scores + j, a, &b, 1, 2, exchange);
  }
}

// products[n][i, j] = own[n][i] . tiles[n][j] for the warp's 16 rows of both tiles of `own`.
INLINED void multiply_tiles(float products[2][STEP_BLOCKS][4], __local const stored *own,
                            __local const stored *tiles, int lane, __local uint *exchange) {
  UNROLL for (int n = 0; n < 2; n++) {
    clear_scores(products[n]);
    UNROLL for (int k = 0; k < HEAD_WIDTH; k += SLAB) {
      Fragment a = rows_of_tile(own + n * OWN * PITCH, (int)get_local_id(0) / WARP * 16, k, lane,
                                exchange);
      add_scores(products[n], &a, tiles + n * STEP * PITCH, k, lane, exchange);
    }
  }
}

// result[i] = factor[i] * result[i] + sum over j of weights[i, j] tile[j], the sum of a tile by
// itself.
INLINED void combine_rows(float result[BLOCKS][4], const float *factor,
                          float weights[STEP_BLOCKS][4], __local const stored *tile, int lane,
                          __local uint *exchange) {
  Fragment left[STEP_SLABS];
  UNROLL for (int slab = 0; slab < STEP_SLABS; slab++) left[slab] =
      weights_of_scores(weights, slab);
  UNROLL for (int j = 0; j < BLOCKS; j += 2) {
    float sum[2][4] = {{0.0f, 0.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f, 0.0f}};
    UNROLL for (int slab = 0; slab < STEP_SLABS; slab++) {
      Fragment b = columns_of_tile(tile, slab * SLAB, 8 * j, lane, exchange);
      multiply(sum, &left[slab], &b, 2, 1, exchange);
    }
    UNROLL for (int i = 0; i < 2; i++) UNROLL for (int c = 0; c < 4; c++) result[j + i][c] =
        fma(result[j + i][c], factor[c / 2], sum[i][c]);
  }
}

// Writes the lane's two rows, each times its factor.
INLINED void store_rows(float result[BLOCKS][4], const float *factor, Place p,
                        __global stored *to, int pitch) {
  UNROLL for (int upper = 0; upper < 2; upper++) {
    int row = p.row + 8 * upper;
    if (row >= p.length)
      continue;
    __global stored *out = to + (size_t)row * pitch + p.lane % 4 * 2;
    UNROLL for (int j = 0; j < BLOCKS; j++)
        store_pair(factor[upper] * result[j][2 * upper],
                   factor[upper] * result[j][2 * upper + 1], out + 8 * j);
  }
}

// The score of query i and key j, given its dot product; -inf for those past the end.
INLINED float masked_score(float product, float scale, __global const float *mask, size_t matrix,
                           int length, int i, int j, int causal) {
  if (i >= length || j >= length || (causal && j > i))
    return -INFINITY;
  float score = product * scale;
  return mask ? score + mask[matrix + (size_t)i * length + j] : score;
}

// Waits until the tiles of a step are there for all, having started to copy those of the next one.
#if STAGES == 2
#define BEGIN_STEP(step, end, fill_next)                                                           \
  if (step + 1 < end) {                                                                            \
    fill_next;                                                                                     \
  }                                                                                                \
  commit_copies();                                                                                 \
  wait_for_copies_1();                                                                             \
  barrier(CLK_LOCAL_MEM_FENCE);
#define END_STEP(step, end, fill_next) barrier(CLK_LOCAL_MEM_FENCE);
#else
#define BEGIN_STEP(step, end, fill_next)                                                           \
  wait_for_copies_0();                                                                             \
  barrier(CLK_LOCAL_MEM_FENCE);
#define END_STEP(step, end, fill_next)                                                             \
  barrier(CLK_LOCAL_MEM_FENCE);                                                                    \
  if (step + 1 < end) {                                                                            \
    fill_next;                                                                                     \
  }                                                                                                \
  commit_copies();
#endif

// Starts to copy the rows of a step from two parts of a head to its pair of tiles.
INLINED void fill_pair(__local stored *tiles, __global const stored *first, int first_pitch,
                       __global const stored *second, int second_pitch, int step, int length) {
  __local stored *pair = tiles + step % STAGES * 2 * STEP * PITCH;
  fill_tile(pair, first, first_pitch, step * STEP, STEP, length);
  fill_tile(pair + STEP * PITCH, second, second_pitch, step * STEP, STEP, length);
}

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
