// Matrix products of 16-bit operands for NVIDIA GPUs of compute capability 8.0 and up, by tensor
// cores.
//
// What, layout: as in MatrixProduct.cl; STORAGE is bfloat16 or float16.
// Launch:  work-group (32 * WARPS_M * WARPS_N, 1, 1) owns TILE_M x TILE_N elements of the target,
//          each of its warps an equal block of them; groups: ceil(columns / TILE_N) *
//          ceil(rows / TILE_M) * batch * splits. Steps of TILE_K in depth go through a ring of
//          STAGES tiles in local memory, which asynchronous copies fill ahead of the arithmetic;
//          edges and pixels outside of an image are filled with zeros. Pieces of the depth go to
//          `partial`, and the last work-group of a tile adds them up (join_pieces).
// Parameters: those of MatrixLoaders.clh, MatrixEpilogue.clh and MatrixStatistics.clh;
//             TILE_M, TILE_N   64, 128 or 256; WARPS_M x WARPS_N warps own whole 16 x 16 blocks
//             TILE_K           depth of a step, 32 or 64
//             STAGES           2 to 4; STAGES * (TILE_M + TILE_N) * TILE_K * 2 bytes fit into
//                              48 KiB
//             LEFT_WIDTH, RIGHT_WIDTH   elements of one copy of an operand: 8 when its stored rows,
//                              what is used of them, its batch entries and its channels are
//                              multiples of 8, else 1
//             WHOLE_TAPS       see MatrixCopies.clh
// Numbers: products are exact, sums are float32, in a fixed order that depends on the parameters.
// Source:  NVIDIA, PTX ISA.

#include "MatrixTiles.clh"

#include "MatrixStatistics.clh"

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
  uint row = is_deep ? line : k, place = is_deep ? k : line;
  uint pitch = is_deep ? TILE_K : lines;
  uint turn = is_deep ? (uint)line * TILE_K / 64 % (TILE_K / CHUNK) : (uint)k % 8;
  return row * pitch + (place / CHUNK ^ turn) * CHUNK + place % CHUNK;
}

// Where a lane's row of four 8 x 8 matrices lies, that of slab 0 and block 0: `line_bit` for matrix
// i (bit 0 or bit 1 of i) moves 8 lines, the other bit 8 in depth.
INLINED int fragment_place(int is_deep, int first, int lines, int line_bit, int lane) {
  int matrix = lane / 8, row = lane % 8;
  int line = first + (matrix >> line_bit & 1) * 8, depth = (matrix >> (1 - line_bit) & 1) * 8;
  return is_deep ? tile_index(1, line + row, depth, lines)
                 : tile_index(0, line, depth + row, lines);
}

// The same of the block that starts 16 * block lines and k in depth further. The blocks of a warp
// lie at multiples of its size, so that both change bits that are not set or that only a turn
// has set.
INLINED int moved_place(int is_deep, int place, int block, int k, int lines) {
  return is_deep ? (place ^ k) + 16 * block * TILE_K : (place ^ 16 * block) + k * lines;
}

#if EMULATE_WARP

// What a lane gets of matrix `matrix` of a fragment of the warp's operand.
INLINED uint fragment_pair(int is_deep, __local const ushort *tile, int first, int block, int k,
                           int lines, int line_bit, int lane, int matrix) {
  int of_lane = 8 * matrix + (is_deep ? lane / 4 : lane % 4 * 2), column = lane % 4 * 2;
  int low = fragment_place(is_deep, first, lines, line_bit, of_lane);
  int high = fragment_place(is_deep, first, lines, line_bit, of_lane + !is_deep);
  low = moved_place(is_deep, low, block, k, lines) + (is_deep ? column : lane / 4);
  high = moved_place(is_deep, high, block, k, lines) + (is_deep ? column + 1 : lane / 4);
  return tile[low] | (uint)tile[high] << 16;
}

#else

INLINED void load_fragments(int is_deep, __local const ushort *tile, int place, int block, int k,
                            int lines, uint *to) {
  __local const ushort *from = tile + moved_place(is_deep, place, block, k, lines);
  if (is_deep)
    load_matrices_4(to, from);
  else
    load_matrices_transposed_4(to, from);
}

#endif

// Where a warp multiplies: its first row and column in a tile, and where its lanes' rows of the
// first fragments lie.
typedef struct {
  int m, n, lane, left, right;
} WarpPlace;

// Adds the product of the slabs at depth k of the warp's rows and columns.
INLINED void multiply_slab(float sum[BLOCKS_M][BLOCKS_N][4], __local const ushort *tile,
                           WarpPlace warp, int k) {
  __local const ushort *left_tile = tile, *right_tile = tile + TILE_M * TILE_K;
#if EMULATE_WARP
  for (int i = 0; i < BLOCKS_M; i++)
    for (int j = 0; j < BLOCKS_N; j++)
      for (int other = 0; other < 8; other++) {
        int t = other / 2, c = other % 2;
        int row = warp.lane / 4 * 4 + t, column = (warp.lane % 4 * 2 + c) * 4 + t;
        uint a[4], b[2];
        for (int e = 0; e < 4; e++)
          a[e] = fragment_pair(LEFT_IS_DEEP, left_tile, warp.m, i, k, TILE_M, 0, row, e);
        for (int e = 0; e < 2; e++)
          b[e] = fragment_pair(RIGHT_IS_DEEP, right_tile, warp.n, j / 2, k, TILE_N, 1, column,
                               j % 2 * 2 + e);
        float2 share = MULTIPLY(share)(a, b);
        sum[i][j][c] += share.x;
        sum[i][j][2 + c] += share.y;
      }
#else
  uint b[BLOCKS_N][2];
  UNROLL for (int j = 0; j < BLOCKS_N; j += 2) {
    uint both[4];
    load_fragments(RIGHT_IS_DEEP, right_tile, warp.right, j / 2, k, TILE_N, both);
    b[j][0] = both[0];
    b[j][1] = both[1];
    b[j + 1][0] = both[2];
    b[j + 1][1] = both[3];
  }
  UNROLL for (int i = 0; i < BLOCKS_M; i++) {
    uint a[4];
    load_fragments(LEFT_IS_DEEP, left_tile, warp.left, i, k, TILE_M, a);
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
    int adds EPILOGUE_PARAMETERS, __global float *partial,
    __global int *counters STATISTICS_PARAMETERS GEOMETRY_PARAMETERS) {
  __local ushort tiles[STAGES * TILE] __attribute__((aligned(128)));
  const Geometry g = GEOMETRY;
  const TilePlace at = tile_place(rows, columns, TILE_M, TILE_N);
  const int entry = at.matrix / splits, split = at.matrix % splits, m0 = at.row, n0 = at.column;
  const int first = split * split_depth, end = min(depth, first + split_depth);
  const int steps = max(0, end - first + TILE_K - 1) / TILE_K;
  const int number = get_local_id(0) / WARP, lane = get_local_id(0) % WARP;
  WarpPlace warp = {number / WARPS_N * (TILE_M / WARPS_M), number % WARPS_N * (TILE_N / WARPS_N),
                    lane, 0, 0};
  warp.left = fragment_place(LEFT_IS_DEEP, warp.m, TILE_M, 0, lane);
  warp.right = fragment_place(RIGHT_IS_DEEP, warp.n, TILE_N, 1, lane);
  const Factors f = {left + (size_t)entry * left_stride, right + (size_t)entry * right_stride,
                     left_pitch, right_pitch, m0, n0, rows, columns, first, end};
  target += (size_t)entry * target_pitch;
  MOVE_ASIDE((size_t)entry * target_pitch);
  Copies copies;
  start_left(&copies, f, g);
  start_right(&copies, f, g);
  float sum[BLOCKS_M][BLOCKS_N][4];
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int j = 0; j < BLOCKS_N; j++) {
    UNROLL for (int c = 0; c < 4; c++) sum[i][j][c] = 0.0f;
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
    UNROLL for (int k = 0; k < TILE_K; k += SLAB) multiply_slab(sum, tiles + filled, warp, k);
    next = filled;
    filled = filled == (STAGES - 1) * TILE ? 0 : filled + TILE;
  }
#if STATISTICS
  round_sums(sum);
#else
  if (splits > 1 && !join_pieces(sum, partial, bias, counters, at.matrix, splits, m0 + warp.m + lane / 4,
                                 n0 + warp.n + lane % 4 * 2, rows, columns,
                                 (volatile __local int *)tiles))
    return;
#endif
  const int in_pairs = columns % 2 == 0 && target_pitch % 2 == 0;
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int upper = 0; upper < 2; upper++) {
    int m = m0 + warp.m + 16 * i + 8 * upper + lane / 4;
    if (m >= rows)
      continue;
    __global target_element *row = target + target_row(g, m, columns);
    const aside_element beside = ASIDE(target_row(g, m, columns));
    UNROLL for (int j = 0; j < BLOCKS_N; j++)
        store_pair(row, beside, bias, n0 + warp.n + 8 * j + lane % 4 * 2, columns, sum[i][j][2 * upper],
                   sum[i][j][2 * upper + 1], in_pairs, adds);
  }
#if STATISTICS
  write_statistics(sum, blocks + (size_t)(m0 / TILE_M) * 2 * columns + n0, columns,
                   warp.m + lane / 4, warp.n + lane % 4 * 2, number / WARPS_N * 8 + lane / 4,
                   min(TILE_M, rows - m0), columns - n0, (__local float *)tiles);
#endif
#if STATISTICS == 2
  const int is_last = is_last_group(counters + n0 / TILE_N, (rows + TILE_M - 1) / TILE_M,
                                    (volatile __local int *)tiles);
  const int across = TILE_N / CHANNEL_WIDTH;
  fold_statistics(blocks, mean, inverse, running_mean, running_variance, 0, rows, columns, TILE_M,
                  momentum, epsilon, n0 + LANE % across * CHANNEL_WIDTH, across, is_last,
                  (scratch_of_sums)tiles);
#endif
}
