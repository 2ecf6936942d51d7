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
// Launch:  work-group (SIDE, SIDE, 1) owns TILE x TILE elements of the target, a work-item 4 x 4 of
//          them, SIDE apart; groups: ceil(columns / TILE) * ceil(rows / TILE) * batch * splits.
//          Edges are padded with zeros in local memory. matrix_product_splits: element-wise.
// Parameters: those of MatrixLoaders.clh and MatrixEpilogue.clh; SIDE (16, or 8 or 4 where work-groups
//          are smaller than 256; TILE is 4 times that), DEPTH (16: depth of one step).
// Numbers: float32, added up in order of k. depth 0 gives the bias or 0. Gradients are written.
// Source:  this file is the reference of MatrixProductCPU.cl.

#include "MatrixEpilogue.clh"
#include "MatrixLoaders.clh"

#ifndef SIDE
#define SIDE 16
#endif
#define PER_ITEM 4
#define TILE (SIDE * PER_ITEM)
#define DEPTH 16

__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void matrix_product_forward(
    __global const stored *restrict left, int left_pitch, int left_stride,
    __global const stored *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global target_element *restrict target, int target_pitch,
    int rows, int columns, int depth, int splits, int split_depth,
    int adds EPILOGUE_PARAMETERS GEOMETRY_PARAMETERS) {
  __local float left_tile[DEPTH][TILE + 1];
  __local float right_tile[DEPTH][TILE + 1];
  const Geometry g = GEOMETRY;
  const TilePlace at = tile_place(rows, columns, TILE, TILE);
  const int entry = at.matrix / splits, split = at.matrix % splits, m0 = at.row, n0 = at.column;
  const int x = get_local_id(0), y = get_local_id(1), item = y * SIDE + x;
  const int end = min(depth, (split + 1) * split_depth);
  left += (size_t)entry * left_stride;
  right += (size_t)entry * right_stride;
  target += (size_t)at.matrix * target_pitch;
  MOVE_ASIDE((size_t)at.matrix * target_pitch);
  float sum[PER_ITEM][PER_ITEM];
  for (int i = 0; i < PER_ITEM; i++)
    for (int j = 0; j < PER_ITEM; j++)
      sum[i][j] = 0.0f;
  for (int k0 = split * split_depth; k0 < end; k0 += DEPTH) {
    for (int i = item; i < DEPTH * TILE; i += SIDE * SIDE) {
      // Neighbouring items read neighbouring elements of each operand.
#if LEFT_LOADER == LOAD_TRANSPOSED
      int m = i % TILE, lk = i / TILE;
#else
      int m = i / DEPTH, lk = i % DEPTH;
#endif
#if RIGHT_LOADER == LOAD_TRANSPOSED
      int n = i / DEPTH, rk = i % DEPTH;
#else
      int n = i % TILE, rk = i / TILE;
#endif
      left_tile[lk][m] = m0 + m < rows && k0 + lk < end
                             ? left_element(left, g, left_pitch, m0 + m, k0 + lk)
                             : 0.0f;
      right_tile[rk][n] = n0 + n < columns && k0 + rk < end
                              ? right_element(right, g, right_pitch, k0 + rk, n0 + n)
                              : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < DEPTH; k++) {
      float l[PER_ITEM], r[PER_ITEM];
      for (int i = 0; i < PER_ITEM; i++) {
        l[i] = left_tile[k][y + i * SIDE];
        r[i] = right_tile[k][x + i * SIDE];
      }
      for (int i = 0; i < PER_ITEM; i++)
        for (int j = 0; j < PER_ITEM; j++)
          sum[i][j] = multiply_add(l[i], r[j], sum[i][j]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  // Unrolled, as an index that is not known would keep the sums out of registers. What is loaded comes
  // first: in one loop, sixteen epilogues side by side take more registers than Intel's GPUs have.
  UNROLL for (int i = 0; i < PER_ITEM; i++) {
    int m = m0 + y + i * SIDE;
    UNROLL for (int j = 0; j < PER_ITEM; j++) {
      int n = n0 + x + j * SIDE;
      if (m < rows && n < columns) {
        size_t place = target_row(g, m, columns) + n;
        sum[i][j] += adds ? LOAD_TARGET(target + place) : bias && split == 0 ? bias[n] : 0.0f;
      }
    }
  }
  UNROLL for (int i = 0; i < PER_ITEM; i++) {
    int m = m0 + y + i * SIDE;
    UNROLL for (int j = 0; j < PER_ITEM; j++) {
      int n = n0 + x + j * SIDE;
      if (m < rows && n < columns) {
        size_t place = target_row(g, m, columns) + n;
        STORE_TARGET(finished(sum[i][j], ASIDE(place)), target + place);
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
