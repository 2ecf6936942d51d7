// Matrix products of bfloat16 for CPU devices: pairs along the depth, two products an instruction.
//
// What, layout: as in MatrixProduct.cl. The right operand may be float32 and is then rounded while
//          it is packed (weights). `partial` is null where the depth is one step or the target is
//          float; else it has [matrices, rows, columns] floats for the sums of all steps but the
//          last one.
// Launch:  as in MatrixProductCPU.cl, whose packing, tiles and read-ahead these are: a packed
//          element is a pair (2p, 2p + 1) along the depth, 32 bits wide, so that only packing and
//          the innermost statement differ. The depth is walked in steps of `step` elements, a
//          multiple of 32 and at most 2 * KC.
// Parameters: MR, NV   as in MatrixProductCPU.cl
//             KC, NC   most pairs of a step (multiple of 16), most columns of a group (multiple of
//                      NR)
//             RIGHT_FLOAT       1: the right operand is float32; not an image then
//             DOT_INSTRUCTION   1: AVX512_BF16 by inline assembly, for a compiler and a processor
//                               that are known to have it; 0: plain OpenCL C with the same results
//             STORAGE           bfloat16
// Numbers: float32 sums in a fixed order that depends on `step`: of a pair the odd element first,
//          rounded, then the even one. The instruction takes denormal numbers as 0, operands, products
//          and sums alike, and rounds to the nearest; plain OpenCL C keeps them. Infinities and NaN
//          go through: inf * 0 is NaN. The last pair of an odd depth is filled up with zeros.
// Source:  Intel 64 and IA-32 Architectures Software Developer's Manual, VDPBF16PS.

#ifndef STORAGE
#define STORAGE 1
#endif

#include "Common/Transpose.clh"
#include "MatrixLoaders.clh"

#ifndef MR
#define MR 14
#endif
#ifndef NV
#define NV 2
#endif
#ifndef KC
#define KC 384
#endif
#ifndef NC
#define NC 256
#endif
#ifndef DOT_INSTRUCTION
#define DOT_INSTRUCTION 0
#endif
#define NR (16 * NV)
#define PACKED_ROWS 112
// Distance of packed panels: off the power of two, so that they do not fall into one cache set.
#define PANEL (KC * NR + 16)

#if DEVICE_IS_CPU && STORAGE == STORAGE_BFLOAT16

#include "MatrixPatchesCPU.clh"

// The packed left operand, as in MatrixProductCPU.cl.
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

// Two neighbours along the depth, the even one in the lower half. Packed rows are also written an
// element at a time.
typedef uint __attribute__((__may_alias__)) pair;

#if RIGHT_FLOAT
typedef float right_stored;
#else
typedef stored right_stored;
#endif

// ---- Rounding and multiplying

// 16 floats as bfloat16.
static inline ushort16 round_16(float16 x) {
#if DOT_INSTRUCTION
  ushort16 y;
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(y) : "v"(x));
  return y;
#else
  uint16 bits = as_uint16(x);
  uint16 rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return convert_ushort16(isnan(x) ? bits >> 16 | 0x40u : rounded);
#endif
}

// sum + low * low + high * high of every pair.
static inline float16 add_pairs(float16 sum, uint16 left, uint16 right) {
#if DOT_INSTRUCTION
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(right), "v"(left));
  return sum;
#else
  sum = fma(as_float16(left & 0xffff0000u), as_float16(right & 0xffff0000u), sum);
  return fma(as_float16(left << 16), as_float16(right << 16), sum);
#endif
}

// ---- Loading elements as bits of bfloat16

#define LOADS(space)                                                                               \
  static inline uint bits_of_stored_##space(__##space const stored *p) { return *p; }              \
  static inline uint16 bits_of_stored_16_##space(__##space const stored *p) {                      \
    return convert_uint16(vload16(0, p));                                                          \
  }
LOADS(global)
LOADS(local)

#if RIGHT_FLOAT
static inline uint right_bits_global(__global const float *p) { return bfloat16_bits(*p); }
static inline uint16 right_bits_16_global(__global const float *p) {
  return convert_uint16(round_16(vload16(0, p)));
}
// 32 neighbours as 16 pairs.
static inline uint16 right_pairs(__global const float *p) {
#if DOT_INSTRUCTION
  uint16 y;
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(y) : "v"(vload16(0, p)), "v"(vload16(1, p)));
  return y;
#else
  return (uint16)(as_uint8(round_16(vload16(0, p))), as_uint8(round_16(vload16(1, p))));
#endif
}
#else
#define right_bits_global bits_of_stored_global
#define right_bits_16_global bits_of_stored_16_global
#define right_pairs stored_pairs
#endif
#define right_bits_local bits_of_stored_local
#define right_bits_16_local bits_of_stored_16_local

static inline uint16 stored_pairs(__global const stored *p) {
  return *(__global const stored32 *)p;
}

// ---- Right operand

// One row of NR-column panels: `even` holds `count` columns, `odd` those of the next element along
// the depth, or is null behind the last one.
#define SPREAD(space, element)                                                                     \
  static inline void spread_##space(__local pair *panels, __##space const element *even,           \
                                    __##space const element *odd, int count) {                     \
    for (int j = 0; j < count; j += NR, panels += PANEL) {                                         \
      if (j + NR <= count && odd) {                                                                \
        UNROLL for (int v = 0; v < NV; v++) vstore16(                                              \
            right_bits_16_##space(even + j + LANE_COUNT * v) |                                     \
                right_bits_16_##space(odd + j + LANE_COUNT * v) << 16,                             \
            v, panels);                                                                            \
      } else {                                                                                     \
        for (int c = 0; c < NR; c++) {                                                             \
          uint low = j + c < count ? right_bits_##space(even + j + c) : 0;                         \
          uint high = odd && j + c < count ? right_bits_##space(odd + j + c) : 0;                  \
          panels[c] = low | high << 16;                                                            \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
  }
SPREAD(global, right_stored)
SPREAD(local, stored)

#if RIGHT_LOADER == LOAD_TRANSPOSED
// 16 columns of 16 pairs, transposed; columns from `present` on are zeros.
static inline void transpose_pairs(__local pair *to, __global const right_stored *from, int pitch,
                                   int present) {
  float16 a[16];
  UNROLL for (int i = 0; i < 16; i++) a[i] =
      as_float16(i < present ? right_pairs(from + (size_t)i * pitch) : (uint16)(0));
  transpose_rows(a);
  UNROLL for (int i = 0; i < 16; i++) vstore16(as_uint16(a[i]), 0, to + i * NR);
}
#endif

// Packs elements k0..<k0 + steps along the depth, columns n0..<n0 + count, into panels of pairs.
static inline void pack_right(__local pair *panels, __local stored *lines,
                              __global const right_stored *restrict right, Geometry g, int pitch,
                              int k0, int steps, int n0, int count) {
#if RIGHT_LOADER == LOAD_ROWS || RIGHT_LOADER == LOAD_TAPS
  for (int k = 0; k < steps; k += 2) {
#if RIGHT_LOADER == LOAD_ROWS
    __global const right_stored *even = right + (size_t)(k0 + k) * pitch + n0;
    __global const right_stored *odd = even + pitch;
#else
    __global const right_stored *even = right + tap_row(g, k0 + k, pitch) + n0;
    __global const right_stored *odd = right + tap_row(g, k0 + k + 1, pitch) + n0;
#endif
    spread_global(panels + k / 2 * NR, even, k + 1 < steps ? odd : 0, count);
  }
#elif RIGHT_LOADER == LOAD_IMAGE
  Position at = position_at(g, k0);
  const PatchStart start = patch_start(g, n0);
  const int padded = (count + NR - 1) / NR * NR;
  clear(lines + count, padded - count);
  clear(lines + NC + count, padded - count);
  for (int k = 0; k < steps; k += 2) {
    copy_patch(lines, right, g, at, start, count);
    at = position_after(g, at);
    if (k + 1 < steps)
      copy_patch(lines + NC, right, g, at, start, count);
    else
      clear(lines + NC, count);
    at = position_after(g, at);
    spread_local(panels + k / 2 * NR, lines, lines + NC, padded);
  }
#else
  int padded = (count + NR - 1) / NR * NR;
  for (int j = 0; j < padded; j += LANE_COUNT) {
    __local pair *to = panels + j / NR * PANEL + j % NR;
    int present = clamp(count - j, 0, LANE_COUNT);
    __global const right_stored *from = right + (size_t)(n0 + j) * pitch + k0;
    int k = 0;
    for (; k + 2 * LANE_COUNT <= steps; k += 2 * LANE_COUNT)
      transpose_pairs(to + k / 2 * NR, from + k, pitch, present);
    for (; k < steps; k += 2)
      for (int c = 0; c < LANE_COUNT; c++) {
        __global const right_stored *at = from + (size_t)c * pitch + k;
        uint low = c < present ? right_bits_global(at) : 0;
        uint high = c < present && k + 1 < steps ? right_bits_global(at + 1) : 0;
        to[k / 2 * NR + c] = low | high << 16;
      }
  }
#endif
}

// ---- Left operand

// Packs rows m0..<m0 + count, elements k0..<k0 + steps along the depth.
static inline void pack_left(__local pair *packed, __global const stored *restrict left, Geometry g,
                             int pitch, int m0, int count, int rows, int k0, int steps) {
#if LEFT_LOADER == LOAD_ROWS
  for (int r = 0; r < count; r++) {
    __local pair *to = packed + LEFT_TILE(r);
    __global const stored *from = left + (size_t)(m0 + r) * pitch + k0;
    int k = 0;
    for (; k + 2 * LANE_COUNT <= steps; k += 2 * LANE_COUNT)
      vstore16(stored_pairs(from + k), 0, to + k / 2);
    for (; k < steps; k += 2)
      to[k / 2] = from[k] | (k + 1 < steps ? (uint)from[k + 1] << 16 : 0);
  }
#elif LEFT_LOADER == LOAD_IMAGE
  Position at = position_at(g, m0);
  const PatchStart start = patch_start(g, k0);
  for (int r = 0; r < count; r++) {
    __local stored *to = (__local stored *)(packed + LEFT_TILE(r));
    copy_patch(to, left, g, at, start, steps);
    if (steps % 2)
      to[steps] = 0;
    at = position_after(g, at);
  }
#else
  for (int k = 0; k < steps; k += 2) {
    __global const stored *even = left + (size_t)(k0 + k) * pitch + m0, *odd = even + pitch;
    const int is_whole = k + 1 < steps;
    for (int r = 0; r < count; r += MR) {
      __local pair *to = packed + LEFT_TILE(r) + k / 2 * LEFT_DEPTH_STEP;
      if (is_whole && m0 + r + LEFT_DEPTH_STEP <= rows) {
        UNROLL for (int v = 0; v < LEFT_DEPTH_STEP / 8; v++) vstore8(
            convert_uint8(vload8(v, even + r)) | convert_uint8(vload8(v, odd + r)) << 16, v, to);
      } else {
        for (int c = 0; c < MR; c++) {
          uint low = m0 + r + c < rows ? even[r + c] : 0;
          uint high = is_whole && m0 + r + c < rows ? odd[r + c] : 0;
          to[c] = low | high << 16;
        }
      }
    }
  }
#endif
}

// ---- Register tile

#if TARGET_STORED
static inline void store_16(float16 value, __global stored *p) { vstore16(round_16(value), 0, p); }
#else
static inline void store_16(float16 value, __global float *p) { vstore16(value, 0, p); }
#endif

// Where a tile's sums come from and go to.
typedef struct {
  __global target_element *target;
  __global float *partial; // rows of `columns` floats; unused where the target is float
  __global const float *bias;
  int columns;
  int first, last; // whether it is the first step of the depth, and the last one
} Sums;

// Where the sums of row m are kept between the steps.
static inline __global float *sum_row(Sums s, Geometry g, int m) {
#if TARGET_STORED
  return s.partial + (size_t)m * s.columns;
#else
  return s.target + target_row(g, m, s.columns);
#endif
}

// Adds a tile of the product to its sums, or starts them with the bias; the last step writes the
// target.
static inline void multiply_tile(__local const pair *restrict a, __local const pair *restrict b,
                                 int pairs, Sums s, Geometry g, int m, int rows, int columns,
                                 Ahead ahead) {
#if TARGET_STORED
  const int writes = s.last;
#else
  const int writes = 1;
#endif
  float16 sum[MR][NV];
  UNROLL for (int r = 0; r < MR; r++) UNROLL for (int v = 0; v < NV; v++) sum[r][v] =
      (float16)(0.0f);
  // A tile's rows of 16-bit results are a line each where NV is 2; those of floats NV lines.
  if (columns >= NR)
    for (int r = 0; r < rows; r++) {
#if TARGET_STORED
      if (writes)
        FETCH_TO_WRITE(s.target + target_row(g, m + r, s.columns));
      if (!writes || !s.first)
#endif
        for (int v = 0; v < NV; v++)
          FETCH_TO_WRITE(sum_row(s, g, m + r) + LANE_COUNT * v);
    }
  _Pragma("unroll 4") for (int k = 0; k < pairs; k++) {
    FETCH(line_ahead(ahead, k));
    uint16 right[NV];
    UNROLL for (int v = 0; v < NV; v++) right[v] = vload16(v, b + k * NR);
    UNROLL for (int r = 0; r < MR; r++) {
      uint16 left = (uint16)(a[r * LEFT_ROW_STEP + k * LEFT_DEPTH_STEP]);
      UNROLL for (int v = 0; v < NV; v++) sum[r][v] = add_pairs(sum[r][v], left, right[v]);
    }
  }
  if (columns >= NR) {
    float16 start[NV];
    UNROLL for (int v = 0; v < NV; v++) start[v] = s.bias ? vload16(v, s.bias) : (float16)(0.0f);
    UNROLL for (int r = 0; r < MR; r++) if (r < rows) {
      __global float *sums = sum_row(s, g, m + r);
      __global target_element *to = s.target + target_row(g, m + r, s.columns);
      UNROLL for (int v = 0; v < NV; v++) {
        float16 value = sum[r][v] + (s.first ? start[v] : vload16(v, sums));
        if (writes)
          store_16(value, to + LANE_COUNT * v);
        else
          vstore16(value, v, sums);
      }
    }
  } else {
    float scratch[MR * NR];
    UNROLL for (int r = 0; r < MR; r++) UNROLL for (int v = 0; v < NV; v++)
        vstore16(sum[r][v], v, scratch + r * NR);
    for (int r = 0; r < rows; r++) {
      __global float *sums = sum_row(s, g, m + r);
      __global target_element *to = s.target + target_row(g, m + r, s.columns);
      int c = 0;
      for (; c + LANE_COUNT <= columns; c += LANE_COUNT) {
        float16 value = vload16(0, scratch + r * NR + c);
        if (!s.first)
          value += vload16(0, sums + c);
        else if (s.bias)
          value += vload16(0, s.bias + c);
        if (writes)
          store_16(value, to + c);
        else
          vstore16(value, 0, sums + c);
      }
      for (; c < columns; c++) {
        float value = scratch[r * NR + c] + (!s.first ? sums[c] : s.bias ? s.bias[c] : 0.0f);
        if (writes)
          STORE_TARGET(value, to + c);
        else
          sums[c] = value;
      }
    }
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void matrix_product_forward_cpu_16bit(
    __global const stored *restrict left, int left_pitch, int left_stride,
    __global const right_stored *restrict right, int right_pitch, int right_stride,
    __global const float *restrict bias, __global target_element *restrict target, int target_pitch,
    int rows, int columns, int depth, int splits, int split_depth, int adds, int row_block,
    int column_block, int step, __global float *restrict partial GEOMETRY_PARAMETERS) {
  __local pair panels[NC / NR * PANEL] __attribute__((aligned(64)));
  __local pair packed[PACKED_LEFT] __attribute__((aligned(64)));
  __local stored lines[2 * NC] __attribute__((aligned(64)));
  const Geometry g = GEOMETRY;
  const int matrix = (int)get_group_id(2), entry = matrix / splits, split = matrix % splits;
  const int n0 = (int)get_group_id(0) * column_block, count = min(column_block, columns - n0);
  const int m0 = (int)get_group_id(1) * row_block, m_end = min(rows, m0 + row_block);
  const int k_first = split * split_depth, k_end = min(depth, k_first + split_depth);
  left += (size_t)entry * left_stride;
  right += (size_t)entry * right_stride;
  target += (size_t)matrix * target_pitch + n0;
  if (partial)
    partial += (size_t)matrix * rows * columns + n0;
  bias = bias && split == 0 ? bias + n0 : 0;
  int k0 = k_first;
  // At least once, for depth 0.
  do {
    int steps = min(step, k_end - k0);
    pack_right(panels, lines, right, g, right_pitch, k0, steps, n0, count);
    Ahead next_right = right_ahead(right, right_pitch, k0, step, k_end, n0, count);
    for (int m1 = m0; m1 < m_end; m1 += PACKED_ROWS) {
      int packed_rows = min(PACKED_ROWS, m_end - m1);
      pack_left(packed, left, g, left_pitch, m1, packed_rows, rows, k0, steps);
      Ahead next_left = left_ahead(left, left_pitch, m1, m0, m_end, k0, step, k_end);
      for (int j = 0; j < count; j += NR) {
        const Sums s = {target + j,   partial ? partial + j : 0, bias ? bias + j : 0,
                        columns,      !adds && k0 == k_first,    k0 + step >= k_end};
        for (int r = 0; r < packed_rows; r += MR) {
          Ahead *next = is_fetched(next_left) ? &next_right : &next_left;
          multiply_tile(packed + LEFT_TILE(r), panels + j / NR * PANEL, (steps + 1) / 2, s, g,
                        m1 + r, min(MR, packed_rows - r), count - j, *next);
          *next = after_tile(*next, (steps + 1) / 2);
        }
      }
    }
    k0 += step;
  } while (k0 < k_end);
}

#endif
