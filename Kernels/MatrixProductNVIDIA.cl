// Matrix products for NVIDIA GPUs of compute capability 8.0 and up, by tensor cores.
//
// What, layout: as in MatrixProduct.cl, all in float32.
// Launch:  work-group (32 * WARPS_M * WARPS_N, 1, 1) owns TILE_M x TILE_N elements of the target,
//          each of its warps an equal block of them; groups: ceil(columns / TILE_N) *
//          ceil(rows / TILE_M) * batch * splits. Steps of TILE_K in depth go through a ring of
//          STAGES tiles in local memory, which asynchronous copies fill ahead of the arithmetic;
//          edges and pixels outside of an image are filled with zeros. Pieces of the depth go to
//          `partial`, and the last work-group of a tile adds them up (join_pieces).
// Parameters: those of MatrixEpilogue.clh;
//             TILE_M, TILE_N   64 or 128; WARPS_M x WARPS_N warps own whole 16 x 8 blocks
//             TILE_K           depth of a step, a multiple of 16
//             STAGES           2 to 4; STAGES * (TILE_M + TILE_N) * TILE_K floats fit into 48 KiB
//             PRECISION        PRECISION_TF32X3, PRECISION_TF32, PRECISION_BF16, see Numbers
//             PROMOTED_STEPS   steps after which the sums of the tensor cores, which cut off where
//                              float32 rounds, are added to float32 ones; 0: at the end only. In a
//                              simulation of the cut, TF32X3 errs by 1e-6 of the largest result at
//                              depth 12544 when sums are added every 64, by 1e-4 at the end only
//             LEFT_WIDTH, RIGHT_WIDTH   floats of one copy of an operand: 4 when its stored rows,
//                              what is used of them, its batch entries and its channels are
//                              multiples of 4, else 1
//             WHOLE_TAPS       see MatrixCopies.clh
// Numbers: sums are float32, in a fixed order that depends on the parameters. Factors are rounded
//          to tf32 (10 bits after the point) or bf16 (7 bits). TF32X3 takes each factor as the sum
//          of two tf32 numbers and leaves out the product of the two small ones: about the accuracy
//          of float32, but NaN where float32 has an infinity.
// Source:  NVIDIA, PTX ISA. Three products for one and sums outside of the tensor cores: Ootomo and
//          Yokota, Recovering single precision accuracy from Tensor Cores, section 3.

#include "MatrixTiles.clh"

#define PRECISION_TF32X3 0
#define PRECISION_TF32 1
#define PRECISION_BF16 2

#ifndef PRECISION
#define PRECISION PRECISION_TF32X3
#endif
#ifndef PROMOTED_STEPS
#define PROMOTED_STEPS 4
#endif

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

// Where an element lies in a tile of `lines` lines, so that what a part of a warp reads or writes
// at a time lies in different banks (32 of a float each). Deep: slab by slab, line by line; the
// lines of every other slab change places, because two slabs are written together. Else lines are
// fastest; they change places in blocks of 8, because a warp reads 8 lines at four depths together.
INLINED int tile_index(int is_deep, int line, int k, int lines) {
  int slab = k / SLAB;
  return is_deep ? (slab * lines + (line ^ slab % 2 * (16 / SLAB))) * SLAB + k % SLAB
                 : k * lines + (line ^ k / LANE_FLOATS % 4 * 8);
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

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void matrix_product_forward_nvidia(
    __global const float *restrict left, int left_pitch, int left_stride,
    __global const float *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global float *restrict target, int target_pitch,
    int rows, int columns, int depth, int splits, int split_depth,
    int adds EPILOGUE_PARAMETERS, __global float *partial,
    __global int *counters GEOMETRY_PARAMETERS) {
  __local float tiles[STAGES * TILE] __attribute__((aligned(128)));
  const Geometry g = GEOMETRY;
  const TilePlace at = tile_place(rows, columns, TILE_M, TILE_N);
  const int entry = at.matrix / splits, split = at.matrix % splits, m0 = at.row, n0 = at.column;
  const int first = split * split_depth, end = min(depth, first + split_depth);
  const int steps = max(0, end - first + TILE_K - 1) / TILE_K;
  const int warp = get_local_id(0) / WARP, lane = get_local_id(0) % WARP;
  const int m_warp = warp / WARPS_N * (TILE_M / WARPS_M);
  const int n_warp = warp % WARPS_N * (TILE_N / WARPS_N);
  const Factors f = {left + (size_t)entry * left_stride, right + (size_t)entry * right_stride,
                     left_pitch, right_pitch, m0, n0, rows, columns, first, end};
  target += (size_t)entry * target_pitch;
  MOVE_ASIDE((size_t)entry * target_pitch);
  Copies copies;
  start_left(&copies, f, g);
  start_right(&copies, f, g);
  float sum[BLOCKS_M][BLOCKS_N][4], total[BLOCKS_M][BLOCKS_N][4];
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int j = 0; j < BLOCKS_N; j++) {
    UNROLL for (int c = 0; c < 4; c++) sum[i][j][c] = total[i][j][c] = 0.0f;
  }
  UNROLL for (int step = 0; step < STAGES - 1; step++)
      fill_step(tiles + step * TILE, &copies, f, g, step, steps);
  // Offsets of the tiles of this step and of the one that is filled next.
  int filled = 0, next = (STAGES - 1) * TILE;
  for (int step = 0; step < steps; step++) {
    WAIT_FOR_STEP();
    // From here on everyone's copies are there and everyone is done with the step before.
    barrier(CLK_LOCAL_MEM_FENCE);
    fill_step(tiles + next, &copies, f, g, step + STAGES - 1, steps);
    UNROLL for (int k = 0; k < TILE_K; k += SLAB) multiply_slab(
        sum, tiles + filled, m_warp, tiles + filled + TILE_M * TILE_K, n_warp, k, lane);
#if PROMOTED_STEPS
    if ((step + 1) % PROMOTED_STEPS == 0)
      promote(total, sum);
#endif
    next = filled;
    filled = filled == (STAGES - 1) * TILE ? 0 : filled + TILE;
  }
  promote(total, sum);
  if (splits > 1 && !join_pieces(total, partial, bias, counters, at.matrix, splits, m0 + m_warp + lane / 4,
                                 n0 + n_warp + lane % 4 * 2, rows, columns,
                                 (volatile __local int *)tiles))
    return;
  const int in_pairs = columns % 2 == 0 && target_pitch % 2 == 0;
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int upper = 0; upper < 2; upper++) {
    int m = m0 + m_warp + 16 * i + 8 * upper + lane / 4;
    if (m >= rows)
      continue;
    __global target_element *row = target + target_row(g, m, columns);
    const aside_element beside = ASIDE(target_row(g, m, columns));
    UNROLL for (int j = 0; j < BLOCKS_N; j++)
        store_pair(row, beside, bias, n0 + n_warp + 8 * j + lane % 4 * 2, columns, total[i][j][2 * upper],
                   total[i][j][2 * upper + 1], in_pairs, adds);
  }
}
