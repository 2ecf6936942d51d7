// Matrix products of 16-bit operands for NVIDIA GPUs of compute capability 8.0 and up, by tensor
// cores.
//
// What, layout: as in MatrixProduct.cl; STORAGE is bfloat16 or float16.
// Launch:  work-group (32 * WARPS_M * WARPS_N, 1, 1) owns TILE_M x TILE_N elements of the target,
//          each of its warps an equal block of them; groups: ceil(columns / TILE_N) *
//          ceil(rows / TILE_M) * batch * splits. Steps of TILE_K in depth go through a ring of
//          STAGES tiles in local memory, which asynchronous copies fill ahead of the arithmetic;
//          edges and pixels outside of an image are filled with zeros.
// Parameters: those of MatrixLoaders.clh;
//             TILE_M, TILE_N   64, 128 or 256; WARPS_M x WARPS_N warps own whole 16 x 16 blocks
//             TILE_K           depth of a step, 32 or 64
//             STAGES           2 to 4; STAGES * (TILE_M + TILE_N) * TILE_K * 2 bytes fit into 48
//             KiB LEFT_WIDTH, RIGHT_WIDTH   elements of one copy of an operand: 8 when its stored
//             rows,
//                              its batch entries, or its channels are multiples of 8, else 1
// Numbers: products are exact, sums are float32, in a fixed order that depends on the parameters.
// Source:  NVIDIA, PTX ISA.

#include "MatrixTiles.clh"

// Depth of one product of the tensor cores, and elements of a row that lie together in a tile.
#define SLAB 16
#define CHUNK 8
#if STORAGE == STORAGE_FLOAT16
#define MULTIPLY(what) multiply_##what##_f16
#else
#define MULTIPLY(what) multiply_##what##_bf16
#endif

// Where an element lies in a tile of `lines` lines. The chunks of a stored row change places so
// that the eight rows of a matrix that a warp reads at once lie in different banks (8 groups of 16
// bytes): deep rows by the pair or the one of them that fills 128 bytes, others by their depth.
INLINED int tile_index(int is_deep, int line, int k, int lines) {
  int row = is_deep ? line : k, place = is_deep ? k : line;
  int pitch = is_deep ? TILE_K : lines;
  int turn = is_deep ? line * TILE_K / 64 % (TILE_K / CHUNK) : k % 8;
  return row * pitch + (place / CHUNK ^ turn) * CHUNK + place % CHUNK;
}

#if EMULATE_WARP

// Two neighbours in depth of a line.
INLINED uint tile_pair(int is_deep, __local const ushort *tile, int line, int k, int lines) {
  uint low = tile[tile_index(is_deep, line, k, lines)];
  return low | (uint)tile[tile_index(is_deep, line, k + 1, lines)] << 16;
}

#else

// Four 8 x 8 matrices: `line_steps` for matrix i (bit 0 or bit 1 of i) moves 8 lines, the other bit
// 8 in depth.
INLINED void load_fragments(int is_deep, __local const ushort *tile, int first, int k, int lines,
                            int line_bit, int lane, uint *to) {
  int matrix = lane / 8, row = lane % 8;
  int line = first + (matrix >> line_bit & 1) * 8, depth = k + (matrix >> (1 - line_bit) & 1) * 8;
  if (is_deep)
    load_matrices_4(to, tile + tile_index(is_deep, line + row, depth, lines));
  else
    load_matrices_transposed_4(to, tile + tile_index(is_deep, line, depth + row, lines));
}

#endif

// Adds the product of the slabs at depth k of the warp's rows and columns.
INLINED void multiply_slab(float sum[BLOCKS_M][BLOCKS_N][4], __local const ushort *left_tile,
                           int m_warp, __local const ushort *right_tile, int n_warp, int k,
                           int lane) {
#if EMULATE_WARP
  for (int i = 0; i < BLOCKS_M; i++)
    for (int j = 0; j < BLOCKS_N; j++)
      for (int other = 0; other < 8; other++) {
        int t = other / 2, c = other % 2, row = m_warp + 16 * i + lane / 4;
        int column = n_warp + 8 * j + lane % 4 * 2 + c;
        uint a[4], b[2];
        for (int e = 0; e < 4; e++)
          a[e] = tile_pair(LEFT_IS_DEEP, left_tile, row + e % 2 * 8, k + 2 * t + e / 2 * 8, TILE_M);
        for (int e = 0; e < 2; e++)
          b[e] = tile_pair(RIGHT_IS_DEEP, right_tile, column, k + 2 * t + e * 8, TILE_N);
        float2 share = MULTIPLY(share)(a, b);
        sum[i][j][c] += share.x;
        sum[i][j][2 + c] += share.y;
      }
#else
  uint b[BLOCKS_N][2];
  UNROLL for (int j = 0; j < BLOCKS_N; j += 2) {
    uint both[4];
    load_fragments(RIGHT_IS_DEEP, right_tile, n_warp + 8 * j, k, TILE_N, 1, lane, both);
    b[j][0] = both[0];
    b[j][1] = both[1];
    b[j + 1][0] = both[2];
    b[j + 1][1] = both[3];
  }
  UNROLL for (int i = 0; i < BLOCKS_M; i++) {
    uint a[4];
    load_fragments(LEFT_IS_DEEP, left_tile, m_warp + 16 * i, k, TILE_M, 0, lane, a);
    UNROLL for (int j = 0; j < BLOCKS_N; j++) MULTIPLY(add)(sum[i][j], a, b[j]);
  }
#endif
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
matrix_product_forward_nvidia_16bit(
    __global const ushort *restrict left, int left_pitch, int left_stride,
    __global const ushort *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global target_element *restrict target,
    int target_pitch, int rows, int columns, int depth, int splits, int split_depth,
    int adds GEOMETRY_PARAMETERS) {
  __local ushort left_tiles[STAGES][TILE_M * TILE_K] __attribute__((aligned(128)));
  __local ushort right_tiles[STAGES][TILE_N * TILE_K] __attribute__((aligned(128)));
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
  target += (size_t)at.matrix * target_pitch;
  PatchOrigin origins[ORIGINS] = {{0, 0, 0}};
#if KEEPS_ORIGINS
  UNROLL for (int i = 0; i < LEFT_COPIES; i++) {
    uint index = (uint)get_local_id(0) + i * ITEMS;
    origins[i] = patch_origin(g, m0 + copied_line(LEFT_IS_DEEP, index, TILE_M, LEFT_WIDTH));
  }
#endif
  float sum[BLOCKS_M][BLOCKS_N][4];
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int j = 0; j < BLOCKS_N; j++) {
    UNROLL for (int c = 0; c < 4; c++) sum[i][j][c] = 0.0f;
  }
  UNROLL for (int step = 0; step < STAGES - 1; step++)
      fill_step(left_tiles[step], right_tiles[step], f, origins, g, step, steps);
  int stage = 0, free_stage = STAGES - 1;
  for (int step = 0; step < steps; step++) {
    WAIT_FOR_STEP();
    // From here on everyone's copies are there and everyone is done with the step before.
    barrier(CLK_LOCAL_MEM_FENCE);
    fill_step(left_tiles[free_stage], right_tiles[free_stage], f, origins, g, step + STAGES - 1,
              steps);
    UNROLL for (int k = 0; k < TILE_K; k += SLAB)
        multiply_slab(sum, left_tiles[stage], m_warp, right_tiles[stage], n_warp, k, lane);
    free_stage = stage;
    stage = stage + 1 == STAGES ? 0 : stage + 1;
  }
  if (split > 0)
    bias = 0;
  const int in_pairs = columns % 2 == 0 && target_pitch % 2 == 0;
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int upper = 0; upper < 2; upper++) {
    int m = m0 + m_warp + 16 * i + 8 * upper + lane / 4;
    if (m >= rows)
      continue;
    __global target_element *row = target + target_row(g, m, columns);
    UNROLL for (int j = 0; j < BLOCKS_N; j++)
        store_pair(row, bias, n0 + n_warp + 8 * j + lane % 4 * 2, columns, sum[i][j][2 * upper],
                   sum[i][j][2 * upper + 1], in_pairs, adds);
  }
}
