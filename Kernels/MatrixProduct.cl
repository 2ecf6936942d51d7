// Matrix products for devices with work-groups and local memory, and the sum of partial products.
//
// What:    target[m, n] = bias[n] + sum over k of left[m, k] * right[k, n], for every batch entry;
//          with `adds` the sum is added to what target holds, without a bias; with an EPILOGUE
//          something becomes of the sum before it is stored.
// Layout:  left, right: see MatrixLoaders.clh; batch entry b of an operand starts b * stride
//          elements in. target row-major, or scattered over images (SCATTERS); its matrices are
//          target_pitch elements apart. With splits > 1 the depth is cut into pieces of
//          split_depth; piece s of batch entry b goes to matrix b * splits + s of target, and
//          matrix_product_splits adds the pieces up and has the epilogue.
// Launch:  work-group (TILE_N / ITEM_N, TILE_M / ITEM_M, 1) owns TILE_M x TILE_N elements of the
//          target, a work-item ITEM_M x ITEM_N of them, in squares of 4 x 4 that are a square of all
//          items apart; groups: ceil(columns / TILE_N) * ceil(rows / TILE_M) * batch * splits.
//          Edges are padded with zeros in local memory. matrix_product_splits: element-wise.
// Parameters: those of MatrixLoaders.clh and MatrixEpilogue.clh; TILE_M, TILE_N, ITEM_M, ITEM_N
//          (GroupTile.swift has those that are legal), DEPTH (16: depth of one step).
// Numbers: float32, added up in order of k. depth 0 gives the bias or 0. Gradients are written.
// Source:  this file is the reference of MatrixProductCPU.cl.

#include "MatrixEpilogue.clh"
#include "MatrixLoaders.clh"

#ifndef TILE_M
#define TILE_M 64
#define TILE_N 64
#define ITEM_M 4
#define ITEM_N 4
#endif
#define ITEMS_Y (TILE_M / ITEM_M)
#define ITEMS_X (TILE_N / ITEM_N)
#define ITEMS (ITEMS_X * ITEMS_Y)
#define DEPTH 16
// Rows of local memory are whole vectors of 4, but not a multiple of all banks apart.
#define PAD 4

// An item loads LEFT_COUNT elements of the left tile a step. Its neighbours load neighbours in memory:
// of a row-major operand and of patches along the depth, always at the same place of it and of rows that
// are the same in all steps; of a transposed one along the rows. Likewise for the right tile.
#define LEFT_COUNT (DEPTH * TILE_M / ITEMS)
#define RIGHT_COUNT (DEPTH * TILE_N / ITEMS)
#if LEFT_LOADER == LOAD_TRANSPOSED
#define LEFT_ROW(i) (item % TILE_M)
#define LEFT_STEP(i) (item / TILE_M + (i) * (ITEMS / TILE_M))
#else
#define LEFT_ROW(i) (item / DEPTH + (i) * (ITEMS / DEPTH))
#define LEFT_STEP(i) (item % DEPTH)
#endif
#if RIGHT_LOADER == LOAD_TRANSPOSED
#define RIGHT_COLUMN(i) (item / DEPTH + (i) * (ITEMS / DEPTH))
#define RIGHT_STEP(i) (item % DEPTH)
#else
#define RIGHT_COLUMN(i) (item % TILE_N)
#define RIGHT_STEP(i) (item / TILE_N + (i) * (ITEMS / TILE_N))
#endif

// Where the i-th row and column of an item's part lie in the tile.
#define PART_ROW(i) ((i) / 4 * 4 * ITEMS_Y + y * 4 + (i) % 4)
#define PART_COLUMN(j) ((j) / 4 * 4 * ITEMS_X + x * 4 + (j) % 4)

__kernel __attribute__((reqd_work_group_size(ITEMS_X, ITEMS_Y, 1))) void matrix_product_forward(
    __global const stored *restrict left, int left_pitch, int left_stride,
    __global const stored *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global target_element *restrict target, int target_pitch,
    int rows, int columns, int depth, int splits, int split_depth,
    int adds EPILOGUE_PARAMETERS GEOMETRY_PARAMETERS) {
  __local float left_tile[DEPTH][TILE_M + PAD] __attribute__((aligned(16)));
  __local float right_tile[DEPTH][TILE_N + PAD] __attribute__((aligned(16)));
  const Geometry g = GEOMETRY;
  const TilePlace at = tile_place(rows, columns, TILE_M, TILE_N);
  const int entry = at.matrix / splits, split = at.matrix % splits, m0 = at.row, n0 = at.column;
  const int x = get_local_id(0), y = get_local_id(1), item = y * ITEMS_X + x;
  const int end = min(depth, (split + 1) * split_depth);
  left += (size_t)entry * left_stride;
  right += (size_t)entry * right_stride;
  target += (size_t)at.matrix * target_pitch;
  MOVE_ASIDE((size_t)at.matrix * target_pitch);
#if LEFT_LOADER == LOAD_IMAGE
  // Positions are the same in all steps: their divisions are made once.
  PatchOrigin origins[LEFT_COUNT];
  UNROLL for (int i = 0; i < LEFT_COUNT; i++) origins[i] = patch_origin(g, m0 + LEFT_ROW(i));
#endif
#if RIGHT_LOADER == LOAD_IMAGE
  const PatchElement column = patch_element_at(g, n0 + RIGHT_COLUMN(0));
#endif
  float sum[ITEM_M][ITEM_N];
  UNROLL for (int i = 0; i < ITEM_M; i++) UNROLL for (int j = 0; j < ITEM_N; j++) sum[i][j] = 0.0f;
  for (int k0 = split * split_depth; k0 < end; k0 += DEPTH) {
#if LEFT_LOADER == LOAD_IMAGE
    const PatchElement element = patch_element_at(g, k0 + LEFT_STEP(0));
#endif
    UNROLL for (int i = 0; i < LEFT_COUNT; i++) {
      const int m = m0 + LEFT_ROW(i), k = k0 + LEFT_STEP(i);
      float value = 0.0f;
      if (m < rows && k < end) {
#if LEFT_LOADER == LOAD_IMAGE
        long offset = element_offset(g, origins[i], element);
        value = offset < 0 ? 0.0f : load_element(left + offset);
#else
        value = left_element(left, g, left_pitch, m, k);
#endif
      }
      left_tile[LEFT_STEP(i)][LEFT_ROW(i)] = value;
    }
    UNROLL for (int i = 0; i < RIGHT_COUNT; i++) {
      const int n = n0 + RIGHT_COLUMN(i), k = k0 + RIGHT_STEP(i);
      float value = 0.0f;
      if (n < columns && k < end) {
#if RIGHT_LOADER == LOAD_IMAGE
        long offset = element_offset(g, patch_origin(g, k), column);
        value = offset < 0 ? 0.0f : load_element(right + offset);
#else
        value = right_element(right, g, right_pitch, k, n);
#endif
      }
      right_tile[RIGHT_STEP(i)][RIGHT_COLUMN(i)] = value;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < DEPTH; k++) {
      float l[ITEM_M], r[ITEM_N];
      UNROLL for (int i = 0; i < ITEM_M; i += 4)
          vstore4(*(__local const float4 *)&left_tile[k][PART_ROW(i)], 0, l + i);
      UNROLL for (int j = 0; j < ITEM_N; j += 4)
          vstore4(*(__local const float4 *)&right_tile[k][PART_COLUMN(j)], 0, r + j);
      UNROLL for (int i = 0; i < ITEM_M; i++) UNROLL for (int j = 0; j < ITEM_N; j++) sum[i][j] =
          multiply_add(l[i], r[j], sum[i][j]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  // Unrolled, as an index that is not known would keep the sums out of registers.
  UNROLL for (int j = 0; j < ITEM_N; j++) {
    const int n = n0 + PART_COLUMN(j);
    const float start = bias && split == 0 && !adds && n < columns ? bias[n] : 0.0f;
    UNROLL for (int i = 0; i < ITEM_M; i++) sum[i][j] += start;
  }
  UNROLL for (int i = 0; i < ITEM_M; i++) {
    const int m = m0 + PART_ROW(i);
    const size_t place = target_row(g, m, columns) + n0;
    if (m < rows)
      UNROLL for (int j = 0; j < ITEM_N; j++) {
        const int n = PART_COLUMN(j);
        if (n0 + n < columns) {
          float before = adds ? LOAD_TARGET(target + place + n) : 0.0f;
          STORE_TARGET(finished(sum[i][j] + before, ASIDE(place + n)), target + place + n);
        }
      }
  }
}

// target[i] = sum over s of partial[entry, s, i], entry by entry of `size` elements; with `adds` it
// is added to what target holds, and an epilogue comes last.
__kernel void matrix_product_splits(__global const float *restrict partial,
                                    __global target_element *restrict target, int size, int splits,
                                    int adds EPILOGUE_PARAMETERS, int count) {
  FOR_EACH_ELEMENT(i, count) {
    size_t first = (size_t)(i / size) * splits * size + i % size;
    float sum = 0.0f;
    // Pieces are asked for together where there are several.
    _Pragma("unroll 4") for (int s = 0; s < splits; s++) sum += partial[first + (size_t)s * size];
    float value = adds ? LOAD_TARGET(target + i) + sum : sum;
    STORE_TARGET(finished(value, ASIDE(i)), target + i);
  }
}
