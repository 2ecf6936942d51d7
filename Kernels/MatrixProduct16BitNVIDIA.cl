// Matrix products of 16-bit operands for NVIDIA GPUs of compute capability 8.0 and up, by tensor
// cores.
//
// What, layout: as in MatrixProduct.cl; STORAGE is bfloat16 or float16.
// Launch:  work-group (32 * WARPS_M * WARPS_N, 1, 1) owns TILE_M x TILE_N elements of the target,
//          each of its warps an equal block of them; groups (ceil(columns / TILE_N),
//          ceil(rows / TILE_M), batch * splits). Steps of TILE_K in depth go through a ring of
//          STAGES tiles in local memory, which asynchronous copies fill ahead of the arithmetic;
//          edges and pixels outside of an image are filled with zeros.
// Parameters: those of MatrixLoaders.clh;
//             TILE_M, TILE_N   64, 128 or 256; WARPS_M x WARPS_N warps own whole 16 x 16 blocks
//             TILE_K           depth of a step, 32 or 64
//             STAGES           2 to 4; STAGES * (TILE_M + TILE_N) * TILE_K * 2 bytes fit into 48 KiB
//             LEFT_WIDTH, RIGHT_WIDTH   elements of one copy of an operand: 8 when its stored rows,
//                              its batch entries, or its channels are multiples of 8, else 1
// Numbers: products are exact, sums are float32, in a fixed order that depends on the parameters.
// Source:  NVIDIA, PTX ISA.

#include "MatrixLoaders.clh"
#include "TensorCores.clh"

#ifndef TILE_M
#define TILE_M 128
#endif
#ifndef TILE_N
#define TILE_N 128
#endif
#ifndef TILE_K
#define TILE_K 32
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
// Depth of one product of the tensor cores, and elements of a row that lie together in a tile.
#define SLAB 16
#define CHUNK 8
#define LEFT_COPIES (TILE_M * TILE_K / LEFT_WIDTH / ITEMS)
#define RIGHT_COPIES (TILE_N * TILE_K / RIGHT_WIDTH / ITEMS)
#if STORAGE == STORAGE_FLOAT16
#define MULTIPLY(what) multiply_##what##_f16
#define PAIR f16_pair
#else
#define MULTIPLY(what) multiply_##what##_bf16
#define PAIR bf16_pair
#endif

// Whether neighbours in memory are neighbours in depth, else they are neighbouring lines (rows of
// the left operand, columns of the right one). Tiles keep the order of memory.
#define LEFT_IS_DEEP (LEFT_LOADER != LOAD_TRANSPOSED)
#define RIGHT_IS_DEEP (RIGHT_LOADER == LOAD_TRANSPOSED)

// Where an element lies in a tile of `lines` lines. The chunks of a stored row change places so
// that the eight rows of a matrix that a warp reads at once lie in different banks (8 groups of 16
// bytes): deep rows by the pair or the one of them that fills 128 bytes, others by their depth.
INLINED int tile_index(int is_deep, int line, int k, int lines) {
  int row = is_deep ? line : k, place = is_deep ? k : line;
  int pitch = is_deep ? TILE_K : lines;
  int turn = is_deep ? line * TILE_K / 64 % (TILE_K / CHUNK) : k % 8;
  return row * pitch + (place / CHUNK ^ turn) * CHUNK + place % CHUNK;
}

// The line and the depth within a tile of copy `index` of `width` elements, in memory's order.
INLINED int copied_line(int is_deep, uint index, int lines, int width) {
  return is_deep ? index / (TILE_K / width) : index % (lines / width) * width;
}

INLINED int copied_depth(int is_deep, uint index, int lines, int width) {
  return is_deep ? index % (TILE_K / width) * width : index / (lines / width);
}

// How many of the `width` elements at a line and a depth exist.
INLINED int elements_present(int is_deep, int line, int lines, int k, int end, int width) {
  int left = is_deep ? (line < lines ? end - k : 0) : (k < end ? lines - line : 0);
  return clamp(left, 0, width);
}

// One element is no asynchronous copy; the barrier before its step's turn covers it as well.
INLINED void copy_async_one(__local ushort *to, __global const ushort *from, int present) {
  *to = present > 0 ? *from : 0;
}
#define COPY(width) CONCATENATE(COPY_, width)
#define COPY_1 copy_async_one
#define COPY_8 copy_async_8

// Many narrow copies are a loop, few wide ones are not; then a work-item keeps the origins of the
// patches that it copies from in every step.
#define UNROLL_COPIES(width) CONCATENATE(UNROLL_COPIES_, width)
#define UNROLL_COPIES_1 _Pragma("unroll 1")
#define UNROLL_COPIES_8 UNROLL
#define KEEPS_ORIGINS (LEFT_LOADER == LOAD_IMAGE && LEFT_WIDTH > 1)
#define ORIGINS (KEEPS_ORIGINS ? LEFT_COPIES : 1)

INLINED void fill_left(__local ushort *tile, __global const ushort *restrict left,
                       const PatchOrigin *origins, Geometry g, int pitch, int m0, int rows, int k0,
                       int end) {
  UNROLL_COPIES(LEFT_WIDTH) for (int i = 0; i < LEFT_COPIES; i++) {
    uint index = (uint)get_local_id(0) + i * ITEMS;
    int line = copied_line(LEFT_IS_DEEP, index, TILE_M, LEFT_WIDTH);
    int depth = copied_depth(LEFT_IS_DEEP, index, TILE_M, LEFT_WIDTH);
    int present = elements_present(LEFT_IS_DEEP, m0 + line, rows, k0 + depth, end, LEFT_WIDTH);
#if LEFT_LOADER == LOAD_IMAGE
    PatchOrigin origin = KEEPS_ORIGINS ? origins[i] : patch_origin(g, m0 + line);
    long offset = patch_offset(g, origin, k0 + depth);
#else
    long offset = left_offset(pitch, m0 + line, k0 + depth);
#endif
    if (offset < 0)
      present = 0;
    COPY(LEFT_WIDTH)(tile + tile_index(LEFT_IS_DEEP, line, depth, TILE_M),
                     left + (present > 0 ? offset : 0), present);
  }
}

INLINED void fill_right(__local ushort *tile, __global const ushort *restrict right, Geometry g,
                        int pitch, int n0, int columns, int k0, int end) {
  UNROLL_COPIES(RIGHT_WIDTH) for (int i = 0; i < RIGHT_COPIES; i++) {
    uint index = (uint)get_local_id(0) + i * ITEMS;
    int line = copied_line(RIGHT_IS_DEEP, index, TILE_N, RIGHT_WIDTH);
    int depth = copied_depth(RIGHT_IS_DEEP, index, TILE_N, RIGHT_WIDTH);
    int present =
        elements_present(RIGHT_IS_DEEP, n0 + line, columns, k0 + depth, end, RIGHT_WIDTH);
    long offset = right_offset(g, pitch, k0 + depth, n0 + line);
    if (offset < 0)
      present = 0;
    COPY(RIGHT_WIDTH)(tile + tile_index(RIGHT_IS_DEEP, line, depth, TILE_N),
                      right + (present > 0 ? offset : 0), present);
  }
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

// What comes before the sum of a target element; `adds` is for float targets alone.
INLINED float value_before(__global const target_element *to, __global const float *restrict bias,
                           int n, int adds) {
  return adds ? (float)*to : bias ? bias[n] : 0.0f;
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
  float sum[BLOCKS_M][BLOCKS_N][4];
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int j = 0; j < BLOCKS_N; j++) {
    UNROLL for (int c = 0; c < 4; c++) sum[i][j][c] = 0.0f;
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
    free_stage = stage;
    stage = stage + 1 == STAGES ? 0 : stage + 1;
  }
  if (split > 0)
    bias = 0;
  // Two columns of a lane are one store where every row starts at an even element.
  const int in_pairs = columns % 2 == 0 && target_pitch % 2 == 0;
  UNROLL for (int i = 0; i < BLOCKS_M; i++) UNROLL for (int upper = 0; upper < 2; upper++) {
    int m = m0 + m_warp + 16 * i + 8 * upper + lane / 4;
    if (m >= rows)
      continue;
    __global target_element *row = target + target_row(g, m, columns);
    UNROLL for (int j = 0; j < BLOCKS_N; j++) {
      int n = n0 + n_warp + 8 * j + lane % 4 * 2;
      float x = sum[i][j][2 * upper], y = sum[i][j][2 * upper + 1];
      if (n < columns)
        x += value_before(row + n, bias, n, adds);
      if (n + 1 < columns)
        y += value_before(row + n + 1, bias, n + 1, adds);
      if (in_pairs && n < columns) {
#if TARGET_STORED
        *(__global uint *)(row + n) = PAIR(x, y);
#else
        vstore2((float2)(x, y), 0, row + n);
#endif
      } else {
        if (n < columns)
          STORE_TARGET(x, row + n);
        if (n + 1 < columns)
          STORE_TARGET(y, row + n + 1);
      }
    }
  }
}
