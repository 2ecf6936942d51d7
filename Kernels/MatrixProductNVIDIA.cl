// Matrix products for NVIDIA GPUs of compute capability 8.0 and up, by tensor cores.
//
// What, layout: as in MatrixProduct.cl, all in float32.
// Launch:  work-group (32 * WARPS_M * WARPS_N, 1, 1) owns TILE_M x TILE_N elements of the target,
//          each of its warps an equal block of them; groups (ceil(columns / TILE_N),
//          ceil(rows / TILE_M), batch * splits). Steps of TILE_K in depth go through a ring of
//          STAGES tiles in local memory, which asynchronous copies fill ahead of the arithmetic;
//          edges and pixels outside of an image are filled with zeros.
// Parameters: TILE_M, TILE_N   64 or 128; WARPS_M x WARPS_N warps own whole 16 x 8 blocks
//             TILE_K           depth of a step, a multiple of 16
//             STAGES           2 to 4; STAGES * (TILE_M + TILE_N) * TILE_K floats fit into 48 KiB
//             PRECISION        PRECISION_TF32X3, PRECISION_TF32, PRECISION_BF16, see Numbers
//             PROMOTED_STEPS   steps after which the sums of the tensor cores, which cut off where
//                              float32 rounds, are added to float32 ones; 0: at the end only. In a
//                              simulation of the cut, TF32X3 errs by 1e-6 of the largest result at
//                              depth 12544 when sums are added every 64, by 1e-4 at the end only
//             LEFT_WIDTH, RIGHT_WIDTH   floats of one copy of an operand: 4 when its stored rows,
//                              its batch entries, or its channels are multiples of 4, else 1
// Numbers: sums are float32, in a fixed order that depends on the parameters. Factors are rounded
//          to tf32 (10 bits after the point) or bf16 (7 bits). TF32X3 takes each factor as the sum
//          of two tf32 numbers and leaves out the product of the two small ones: about the accuracy
//          of float32, but NaN where float32 has an infinity.
// Source:  NVIDIA, PTX ISA. Three products for one and sums outside of the tensor cores: Ootomo and
//          Yokota, Recovering single precision accuracy from Tensor Cores, section 3.

#include "MatrixLoaders.clh"
#include "TensorCores.clh"

#define PRECISION_TF32X3 0
#define PRECISION_TF32 1
#define PRECISION_BF16 2

#ifndef TILE_M
#define TILE_M 128
#endif
#ifndef TILE_N
#define TILE_N 128
#endif
#ifndef TILE_K
#define TILE_K 16
#endif
#ifndef WARPS_M
#define WARPS_M 2
#endif
#ifndef WARPS_N
#define WARPS_N 4
#endif
#ifndef STAGES
#define STAGES 3
#endif
#if STAGES == 2
#define WAIT_FOR_STEP wait_for_copies_0
#elif STAGES == 3
#define WAIT_FOR_STEP wait_for_copies_1
#else
#define WAIT_FOR_STEP wait_for_copies_2
#endif
#ifndef PRECISION
#define PRECISION PRECISION_TF32X3
#endif
#ifndef PROMOTED_STEPS
#define PROMOTED_STEPS 4
#endif
#ifndef LEFT_WIDTH
#define LEFT_WIDTH 1
#endif
#ifndef RIGHT_WIDTH
#define RIGHT_WIDTH 1
#endif

#define ITEMS (WARP * WARPS_M * WARPS_N)
// The 16 x 8 blocks of a warp.
#define BLOCKS_M (TILE_M / WARPS_M / 16)
#define BLOCKS_N (TILE_N / WARPS_N / 8)
// A lane's neighbouring floats of a line in a product, and the depth of that product.
#if PRECISION == PRECISION_BF16
#define LANE_FLOATS 4
#define MULTIPLY(what) multiply_##what##_bf16
#else
#define LANE_FLOATS 2
#define MULTIPLY(what) multiply_##what##_tf32
#endif
#define SLAB (4 * LANE_FLOATS)
#define LANE_VECTOR CONCATENATE(float, LANE_FLOATS)
#define LEFT_COPIES (TILE_M * TILE_K / LEFT_WIDTH / ITEMS)
#define RIGHT_COPIES (TILE_N * TILE_K / RIGHT_WIDTH / ITEMS)
#define LEFT_COPY CONCATENATE(copy_async_, LEFT_WIDTH)
#define RIGHT_COPY CONCATENATE(copy_async_, RIGHT_WIDTH)

// Whether neighbours in memory are neighbours in depth, else they are neighbouring lines (rows of
// the left operand, columns of the right one). Tiles keep the order of memory.
#define LEFT_IS_DEEP (LEFT_LOADER != LOAD_TRANSPOSED)
#define RIGHT_IS_DEEP (RIGHT_LOADER == LOAD_TRANSPOSED)

// Where an element lies in a tile of `lines` lines, so that what a part of a warp reads or writes
// at a time lies in different banks (32 of a float each). Deep: slab by slab, line by line; the
// lines of every other slab change places, because two slabs are written together. Else lines are
// fastest; they change places in blocks of 8, because a warp reads 8 lines at four depths together.
INLINED int tile_index(int is_deep, int line, int k, int lines) {
  int slab = k / SLAB;
  return is_deep ? (slab * lines + (line ^ slab % 2 * (16 / SLAB))) * SLAB + k % SLAB
                 : k * lines + (line ^ k / LANE_FLOATS % 4 * 8);
}

// The line and the depth within a tile of copy `index` of `width` floats, in the order of memory.
INLINED int copied_line(int is_deep, uint index, int lines, int width) {
  return is_deep ? index / (TILE_K / width) : index % (lines / width) * width;
}

INLINED int copied_depth(int is_deep, uint index, int lines, int width) {
  return is_deep ? index % (TILE_K / width) * width : index / (lines / width);
}

// How many of the `width` floats at a line and a depth exist.
INLINED int floats_present(int is_deep, int line, int lines, int k, int end, int width) {
  int left = is_deep ? (line < lines ? end - k : 0) : (k < end ? lines - line : 0);
  return clamp(left, 0, width);
}

// Many narrow copies are a loop, few wide ones are not; then a work-item keeps the origins of the
// patches that it copies from in every step.
#define UNROLL_COPIES(width) CONCATENATE(UNROLL_COPIES_, width)
#define UNROLL_COPIES_1 _Pragma("unroll 1")
#define UNROLL_COPIES_4 UNROLL
#define KEEPS_ORIGINS (LEFT_LOADER == LOAD_IMAGE && LEFT_WIDTH > 1)
#define ORIGINS (KEEPS_ORIGINS ? LEFT_COPIES : 1)

INLINED void fill_left(__local float *tile, __global const float *restrict left,
                       const PatchOrigin *origins, Geometry g, int pitch, int m0, int rows, int k0,
                       int end) {
  UNROLL_COPIES(LEFT_WIDTH) for (int i = 0; i < LEFT_COPIES; i++) {
    uint index = (uint)get_local_id(0) + i * ITEMS;
    int line = copied_line(LEFT_IS_DEEP, index, TILE_M, LEFT_WIDTH);
    int depth = copied_depth(LEFT_IS_DEEP, index, TILE_M, LEFT_WIDTH);
    int present = floats_present(LEFT_IS_DEEP, m0 + line, rows, k0 + depth, end, LEFT_WIDTH);
#if LEFT_LOADER == LOAD_IMAGE
    PatchOrigin origin = KEEPS_ORIGINS ? origins[i] : patch_origin(g, m0 + line);
    long offset = patch_offset(g, origin, k0 + depth);
#else
    long offset = left_offset(pitch, m0 + line, k0 + depth);
#endif
    if (offset < 0)
      present = 0;
    LEFT_COPY(tile + tile_index(LEFT_IS_DEEP, line, depth, TILE_M),
              left + (present > 0 ? offset : 0), present);
  }
}

INLINED void fill_right(__local float *tile, __global const float *restrict right, Geometry g,
                        int pitch, int n0, int columns, int k0, int end) {
  UNROLL_COPIES(RIGHT_WIDTH) for (int i = 0; i < RIGHT_COPIES; i++) {
    uint index = (uint)get_local_id(0) + i * ITEMS;
    int line = copied_line(RIGHT_IS_DEEP, index, TILE_N, RIGHT_WIDTH);
    int depth = copied_depth(RIGHT_IS_DEEP, index, TILE_N, RIGHT_WIDTH);
    int present = floats_present(RIGHT_IS_DEEP, n0 + line, columns, k0 + depth, end, RIGHT_WIDTH);
    long offset = right_offset(g, pitch, k0 + depth, n0 + line);
    if (offset < 0)
      present = 0;
    RIGHT_COPY(tile + tile_index(RIGHT_IS_DEEP, line, depth, TILE_N),
               right + (present > 0 ? offset : 0), present);
  }
}

// Reads a lane's neighbouring floats of a line, from depth k on.
INLINED void read_line(int is_deep, __local const float *tile, int line, int k, int lines,
                       float *values) {
  __local const float *from = tile + tile_index(is_deep, line, k, lines);
  if (is_deep) {
    LANE_VECTOR vector = *(__local const LANE_VECTOR *)from;
    UNROLL for (int i = 0; i < LANE_FLOATS; i++) values[i] = ((const float *)&vector)[i];
  } else {
    UNROLL for (int i = 0; i < LANE_FLOATS; i++) values[i] = from[i * lines];
  }
}

// A lane's factors as the tensor cores take them, and what rounding them left. Its neighbouring
// depths of a line stand for the depths that are expected of it: their order within a slab is free
// as long as both operands share it.
typedef struct {
  uint factors[4], rests[4];
} LeftFragment;
typedef struct {
  uint factors[2], rests[2];
} RightFragment;

// Rounds one or two neighbours of a line.
INLINED void round_factor(const float *values, uint *factor, uint *rest) {
#if PRECISION == PRECISION_BF16
  *factor = bf16_pair(values[0], values[1]);
  *rest = 0;
#else
  *factor = tf32_bits(values[0]);
  *rest = tf32_bits(values[0] - as_float(*factor));
#endif
}

// Rows first..<first + 16 of the slab at depth k.
INLINED LeftFragment left_fragment(__local const float *tile, int first, int k, int lane) {
  LeftFragment fragment;
  UNROLL for (int upper = 0; upper < 2; upper++) {
    float values[LANE_FLOATS];
    read_line(LEFT_IS_DEEP, tile, first + 8 * upper + lane / 4, k + lane % 4 * LANE_FLOATS, TILE_M,
              values);
    UNROLL for (int i = 0; i < 2; i++) {
      int at = 2 * i + upper;
      round_factor(values + i * LANE_FLOATS / 2, &fragment.factors[at], &fragment.rests[at]);
    }
  }
  return fragment;
}

// Columns first..<first + 8 of the slab at depth k.
INLINED RightFragment right_fragment(__local const float *tile, int first, int k, int lane) {
  RightFragment fragment;
  float values[LANE_FLOATS];
  read_line(RIGHT_IS_DEEP, tile, first + lane / 4, k + lane % 4 * LANE_FLOATS, TILE_N, values);
  UNROLL for (int i = 0; i < 2; i++)
      round_factor(values + i * LANE_FLOATS / 2, &fragment.factors[i], &fragment.rests[i]);
  return fragment;
}

// Adds the product of the slabs at depth k of the warp's rows and columns.
INLINED void multiply_slab(float sum[BLOCKS_M][BLOCKS_N][4], __local const float *left_tile,
                           int m_warp, __local const float *right_tile, int n_warp, int k,
                           int lane) {
#if EMULATE_WARP
  for (int i = 0; i < BLOCKS_M; i++)
    for (int j = 0; j < BLOCKS_N; j++)
      for (int other = 0; other < 8; other++) {
        int t = other / 2, c = other % 2, column = lane % 4 * 2 + c;
        LeftFragment a = left_fragment(left_tile, m_warp + 16 * i, k, lane / 4 * 4 + t);
        RightFragment b = right_fragment(right_tile, n_warp + 8 * j, k, column * 4 + t);
        float2 share = (float2)(0.0f);
#if PRECISION == PRECISION_TF32X3
        share += MULTIPLY(share)(a.rests, b.factors) + MULTIPLY(share)(a.factors, b.rests);
#endif
        share += MULTIPLY(share)(a.factors, b.factors);
        sum[i][j][c] += share.x;
        sum[i][j][2 + c] += share.y;
      }
#else
  RightFragment b[BLOCKS_N];
  UNROLL for (int j = 0; j < BLOCKS_N; j++) b[j] =
      right_fragment(right_tile, n_warp + 8 * j, k, lane);
  UNROLL for (int i = 0; i < BLOCKS_M; i++) {
    LeftFragment a = left_fragment(left_tile, m_warp + 16 * i, k, lane);
#if PRECISION == PRECISION_TF32X3
    // Small terms first; products that add to the same sum are kept apart.
    UNROLL for (int j = 0; j < BLOCKS_N; j++) MULTIPLY(add)(sum[i][j], a.rests, b[j].factors);
    UNROLL for (int j = 0; j < BLOCKS_N; j++) MULTIPLY(add)(sum[i][j], a.factors, b[j].rests);
#endif
    UNROLL for (int j = 0; j < BLOCKS_N; j++) MULTIPLY(add)(sum[i][j], a.factors, b[j].factors);
  }
#endif
}

// Adds the tensor cores' sums to the float32 ones and clears them.
INLINED void promote(float total[BLOCKS_M][BLOCKS_N][4], float sum[BLOCKS_M][BLOCKS_N][4]) {
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int j = 0; j < BLOCKS_N; j++) {
    UNROLL for (int c = 0; c < 4; c++) {
      total[i][j][c] += sum[i][j][c];
      sum[i][j][c] = 0.0f;
    }
  }
}

// What comes before the sum of a target element.
INLINED float value_before(__global const float *to, __global const float *restrict bias, int n,
                           int adds) {
  return adds ? *to : bias ? bias[n] : 0.0f;
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void matrix_product_forward_nvidia(
    __global const float *restrict left, int left_pitch, int left_stride,
    __global const float *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global float *restrict target, int target_pitch,
    int rows, int columns, int depth, int splits, int split_depth, int adds GEOMETRY_PARAMETERS) {
  __local float left_tiles[STAGES][TILE_M * TILE_K] __attribute__((aligned(128)));
  __local float right_tiles[STAGES][TILE_N * TILE_K] __attribute__((aligned(128)));
  const Geometry g = GEOMETRY;
  const int entry = (int)get_group_id(2) / splits, split = (int)get_group_id(2) % splits;
  const int m0 = (int)get_group_id(1) * TILE_M, n0 = (int)get_group_id(0) * TILE_N;
  const int first = split * split_depth, end = min(depth, first + split_depth);
  const int steps = max(0, end - first + TILE_K - 1) / TILE_K;
  const int warp = get_local_id(0) / WARP, lane = get_local_id(0) % WARP;
  const int m_warp = warp / WARPS_N * (TILE_M / WARPS_M);
  const int n_warp = warp % WARPS_N * (TILE_N / WARPS_N);
  left += (size_t)entry * left_stride;
  right += (size_t)entry * right_stride;
  target += (size_t)get_group_id(2) * target_pitch;
  PatchOrigin origins[ORIGINS] = {{0, 0, 0}};
#if KEEPS_ORIGINS
  UNROLL for (int i = 0; i < LEFT_COPIES; i++) {
    uint index = (uint)get_local_id(0) + i * ITEMS;
    origins[i] = patch_origin(g, m0 + copied_line(LEFT_IS_DEEP, index, TILE_M, LEFT_WIDTH));
  }
#endif
  float sum[BLOCKS_M][BLOCKS_N][4], total[BLOCKS_M][BLOCKS_N][4];
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int j = 0; j < BLOCKS_N; j++) {
    UNROLL for (int c = 0; c < 4; c++) sum[i][j][c] = total[i][j][c] = 0.0f;
  }
  // One group of copies for each step, empty ones past the end, so that their number tells which
  // step has arrived.
  UNROLL for (int step = 0; step < STAGES - 1; step++) {
    if (step < steps) {
      int k = first + step * TILE_K;
      fill_left(left_tiles[step], left, origins, g, left_pitch, m0, rows, k, end);
      fill_right(right_tiles[step], right, g, right_pitch, n0, columns, k, end);
    }
    commit_copies();
  }
  int stage = 0, free_stage = STAGES - 1;
  for (int step = 0; step < steps; step++) {
    WAIT_FOR_STEP();
    // From here on everyone's copies are there and everyone is done with the step before.
    barrier(CLK_LOCAL_MEM_FENCE);
    int ahead = step + STAGES - 1;
    if (ahead < steps) {
      int k = first + ahead * TILE_K;
      fill_left(left_tiles[free_stage], left, origins, g, left_pitch, m0, rows, k, end);
      fill_right(right_tiles[free_stage], right, g, right_pitch, n0, columns, k, end);
    }
    commit_copies();
    UNROLL for (int k = 0; k < TILE_K; k += SLAB)
        multiply_slab(sum, left_tiles[stage], m_warp, right_tiles[stage], n_warp, k, lane);
#if PROMOTED_STEPS
    if ((step + 1) % PROMOTED_STEPS == 0)
      promote(total, sum);
#endif
    free_stage = stage;
    stage = stage + 1 == STAGES ? 0 : stage + 1;
  }
  promote(total, sum);
  if (split > 0)
    bias = 0;
  // Two columns of a lane are one store where every row starts at an even element.
  const int in_pairs = columns % 2 == 0 && target_pitch % 2 == 0;
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int upper = 0; upper < 2; upper++) {
    int m = m0 + m_warp + 16 * i + 8 * upper + lane / 4;
    if (m >= rows)
      continue;
    __global float *row = target + target_row(g, m, columns);
    UNROLL for (int j = 0; j < BLOCKS_N; j++) {
      int n = n0 + n_warp + 8 * j + lane % 4 * 2;
      float x = total[i][j][2 * upper], y = total[i][j][2 * upper + 1];
      if (n < columns)
        x += value_before(row + n, bias, n, adds);
      if (n + 1 < columns)
        y += value_before(row + n + 1, bias, n + 1, adds);
      if (in_pairs && n < columns) {
        vstore2((float2)(x, y), 0, row + n);
      } else {
        if (n < columns)
          row[n] = x;
        if (n + 1 < columns)
          row[n + 1] = y;
      }
    }
  }
}
