// Matrix products for CPU devices: one work-item a work-group, register tiles of float16 vectors.
//
// What, layout, numbers: as in MatrixProduct.cl.
// Launch:  work-group (1, 1, 1) owns row_block x column_block elements of the target; groups
//          (ceil(columns / column_block), ceil(rows / row_block), batch * splits). It walks the
//          depth in steps of KC, packs KC x column_block of the right operand into panels of NR
//          columns, then PACKED_ROWS rows of the left one at a time, and adds the product of the
//          two into the target. Local memory is the thread's scratch; no barriers.
//          Meanwhile what is packed next is fetched (MatrixReadAhead.clh).
// Parameters: MR, NV   rows and float16 vectors of the register tile: (MR + 1) * NV + 1 <= 32
//                      registers; MR divides PACKED_ROWS
//             KC, NC   depth of a step (multiple of 16), most columns of a group (multiple of NR)
// Numbers: float32; a fixed order that depends on KC.

#include "Common/Transpose.clh"
#include "MatrixLoaders.clh"

#if DEVICE_IS_CPU

#include "MatrixPatchesCPU.clh"

#ifndef MR
#define MR 14
#endif
#ifndef NV
#define NV 2
#endif
#ifndef KC
#define KC 256
#endif
#ifndef NC
#define NC 384
#endif
#define NR (LANE_COUNT * NV)
#define PACKED_ROWS 112
// Distance of packed panels: off the power of two, so that they do not fall into one cache set.
#define PANEL (KC * NR + LANE_COUNT)

// The packed left operand: rows as they are, or, when it is stored transposed, panels of MR rows
// with the rows fastest.
#if LEFT_LOADER == LOAD_TRANSPOSED
#define LEFT_ROW_STEP 1
#define LEFT_DEPTH_STEP ((MR + 7) / 8 * 8)
#define LEFT_TILE(row) ((row) / MR * (KC * LEFT_DEPTH_STEP + LANE_COUNT))
#define PACKED_LEFT (PACKED_ROWS / MR * (KC * LEFT_DEPTH_STEP + LANE_COUNT))
#else
#define LEFT_ROW_STEP (KC + LANE_COUNT)
#define LEFT_DEPTH_STEP 1
#define LEFT_TILE(row) ((row)*LEFT_ROW_STEP)
#define PACKED_LEFT (PACKED_ROWS * LEFT_ROW_STEP)
#endif

#include "MatrixReadAhead.clh"

// ---- Right operand

// One row of NR-column panels; `from` holds `count` columns.
#define SPREAD(space)                                                                              \
  static inline void spread_##space(__local float *panels, __##space const float *from,            \
                                    int count) {                                                   \
    for (int j = 0; j < count; j += NR, panels += PANEL) {                                         \
      if (j + NR <= count) {                                                                       \
        UNROLL for (int v = 0; v < NV; v++) vstore16(vload16(v, from + j), v, panels);             \
      } else {                                                                                     \
        for (int c = 0; c < NR; c++)                                                               \
          panels[c] = j + c < count ? from[j + c] : 0.0f;                                          \
      }                                                                                            \
    }                                                                                              \
  }
SPREAD(global)
SPREAD(local)

// Packs rows k0..<k0 + steps, columns n0..<n0 + count into panels.
static inline void pack_right(__local float *panels, __local float *line,
                              __global const float *restrict right, Geometry g, int pitch, int k0,
                              int steps, int n0, int count) {
#if RIGHT_LOADER == LOAD_ROWS || RIGHT_LOADER == LOAD_TAPS
  for (int k = 0; k < steps; k++) {
#if RIGHT_LOADER == LOAD_ROWS
    size_t row = (size_t)(k0 + k) * pitch;
#else
    size_t row = tap_row(g, k0 + k, pitch);
#endif
    spread_global(panels + k * NR, right + row + n0, count);
  }
#elif RIGHT_LOADER == LOAD_IMAGE
  Position at = position_at(g, k0);
  const PatchStart start = patch_start(g, n0);
  const int padded = (count + NR - 1) / NR * NR;
  clear(line + count, padded - count);
  for (int k = 0; k < steps; k++) {
    copy_patch(line, right, g, at, start, count);
    spread_local(panels + k * NR, line, padded);
    at = position_after(g, at);
  }
#else
  int padded = (count + NR - 1) / NR * NR;
  for (int j = 0; j < padded; j += LANE_COUNT) {
    __local float *to = panels + j / NR * PANEL + j % NR;
    int present = clamp(count - j, 0, LANE_COUNT);
    __global const float *from = right + (size_t)(n0 + j) * pitch + k0;
    int k = 0;
    for (; k + LANE_COUNT <= steps; k += LANE_COUNT)
      transpose_block(to + k * NR, NR, from + k, pitch, present);
    for (; k < steps; k++)
      for (int c = 0; c < LANE_COUNT; c++)
        to[k * NR + c] = c < present ? from[(size_t)c * pitch + k] : 0.0f;
  }
#endif
}

// ---- Left operand

// Packs rows m0..<m0 + count, depth k0..<k0 + steps.
static inline void pack_left(__local float *packed, __global const float *restrict left, Geometry g,
                             int pitch, int m0, int count, int rows, int k0, int steps) {
#if LEFT_LOADER == LOAD_ROWS
  for (int r = 0; r < count; r++)
    copy_in(packed + LEFT_TILE(r), left + (size_t)(m0 + r) * pitch + k0, steps);
#elif LEFT_LOADER == LOAD_IMAGE
  Position at = position_at(g, m0);
  const PatchStart start = patch_start(g, k0);
  for (int r = 0; r < count; r++) {
    copy_patch(packed + LEFT_TILE(r), left, g, at, start, steps);
    at = position_after(g, at);
  }
#else
  for (int k = 0; k < steps; k++) {
    __global const float *from = left + (size_t)(k0 + k) * pitch + m0;
    for (int r = 0; r < count; r += MR) {
      __local float *to = packed + LEFT_TILE(r) + k * LEFT_DEPTH_STEP;
      if (m0 + r + LEFT_DEPTH_STEP <= rows) {
        UNROLL for (int v = 0; v < LEFT_DEPTH_STEP / 8; v++) vstore8(vload8(v, from + r), v, to);
      } else {
        for (int c = 0; c < MR; c++)
          to[c] = m0 + r + c < rows ? from[r + c] : 0.0f;
      }
    }
  }
#endif
}

// ---- Register tile

// Adds a tile of the product into the target, or writes it there (`first`), with the bias.
static inline void multiply_tile(__local const float *restrict a, __local const float *restrict b,
                                 int steps, __global float *restrict target, Geometry g, int m,
                                 int pitch, int rows, int columns, int first,
                                 __global const float *restrict bias, Ahead ahead) {
  float16 sum[MR][NV];
  UNROLL for (int r = 0; r < MR; r++) UNROLL for (int v = 0; v < NV; v++) sum[r][v] =
      (float16)(0.0f);
  _Pragma("unroll 4") for (int k = 0; k < steps; k++) {
    FETCH(line_ahead(ahead, k));
    float16 right[NV];
    UNROLL for (int v = 0; v < NV; v++) right[v] = vload16(v, b + k * NR);
    UNROLL for (int r = 0; r < MR; r++) {
      float16 left = (float16)(a[r * LEFT_ROW_STEP + k * LEFT_DEPTH_STEP]);
      UNROLL for (int v = 0; v < NV; v++) sum[r][v] = multiply_add(left, right[v], sum[r][v]);
    }
  }
  if (columns >= NR) {
    float16 start[NV];
    UNROLL for (int v = 0; v < NV; v++) start[v] = bias ? vload16(v, bias) : (float16)(0.0f);
    UNROLL for (int r = 0; r < MR; r++) if (r < rows) {
      __global float *to = target + target_row(g, m + r, pitch);
      UNROLL for (int v = 0; v < NV; v++)
          vstore16(sum[r][v] + (first ? start[v] : vload16(v, to)), v, to);
    }
  } else {
    float scratch[MR * NR];
    UNROLL for (int r = 0; r < MR; r++) UNROLL for (int v = 0; v < NV; v++)
        vstore16(sum[r][v], v, scratch + r * NR);
    for (int r = 0; r < rows; r++) {
      __global float *to = target + target_row(g, m + r, pitch);
      int c = 0;
      for (; c + LANE_COUNT <= columns; c += LANE_COUNT) {
        float16 before = first ? (float16)(0.0f) : vload16(0, to + c);
        if (first && bias)
          before = vload16(0, bias + c);
        vstore16(vload16(0, scratch + r * NR + c) + before, 0, to + c);
      }
      for (; c < columns; c++) {
        float before = !first ? to[c] : bias ? bias[c] : 0.0f;
        to[c] = scratch[r * NR + c] + before;
      }
    }
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void matrix_product_forward_cpu(
    __global const float *restrict left, int left_pitch, int left_stride,
    __global const float *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global float *restrict target, int target_pitch,
    int rows, int columns, int depth, int splits, int split_depth, int adds, int row_block,
    int column_block GEOMETRY_PARAMETERS) {
  __local float panels[NC / NR * PANEL] __attribute__((aligned(64)));
  __local float packed[PACKED_LEFT] __attribute__((aligned(64)));
  __local float line[NC] __attribute__((aligned(64)));
  const Geometry g = GEOMETRY;
  const int entry = (int)get_group_id(2) / splits, split = (int)get_group_id(2) % splits;
  const int n0 = (int)get_group_id(0) * column_block, count = min(column_block, columns - n0);
  const int m0 = (int)get_group_id(1) * row_block, m_end = min(rows, m0 + row_block);
  const int k_first = split * split_depth, k_end = min(depth, k_first + split_depth);
  left += (size_t)entry * left_stride;
  right += (size_t)entry * right_stride;
  target += (size_t)get_group_id(2) * target_pitch + n0;
  bias = bias && split == 0 ? bias + n0 : 0;
  int k0 = k_first;
  // At least once, for depth 0.
  do {
    int steps = min(KC, k_end - k0);
    pack_right(panels, line, right, g, right_pitch, k0, steps, n0, count);
    Ahead next_right = right_ahead(right, right_pitch, k0, KC, k_end, n0, count);
    for (int m1 = m0; m1 < m_end; m1 += PACKED_ROWS) {
      int packed_rows = min(PACKED_ROWS, m_end - m1);
      pack_left(packed, left, g, left_pitch, m1, packed_rows, rows, k0, steps);
      Ahead next_left = left_ahead(left, left_pitch, m1, m0, m_end, k0, KC, k_end);
      for (int j = 0; j < count; j += NR)
        for (int r = 0; r < packed_rows; r += MR) {
          Ahead *next = is_fetched(next_left) ? &next_right : &next_left;
          multiply_tile(packed + LEFT_TILE(r), panels + j / NR * PANEL, steps, target + j, g,
                        m1 + r, columns, min(MR, packed_rows - r), count - j,
                        !adds && k0 == k_first, bias ? bias + j : 0, *next);
          *next = after_tile(*next, steps);
        }
    }
    k0 += KC;
  } while (k0 < k_end);
}

#endif
