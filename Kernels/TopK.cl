// TopK: the k largest scores of each segment of each row.
//
// What:    rows of `total` scores fall into segments: segment s has starts[s] ..< starts[s + 1] and
//          gives its outs[s + 1] - outs[s] largest, at outs[s] of a row of `kept` results:
//          values[r, outs[s] + j], indices[r, outs[s] + j] = its j-th largest; equal scores by rising
//          index, NaN after everything else. Indices count from the start of the row.
// Layout:  x [rows, total]; values, indices [rows, kept]; a part = one segment of one row,
//          r * segments + s.
// Launch:  cpu: one work-item a part. Elsewhere rounds of (histogram, pick) narrow keys, 11 bits a
//          round, down to the k-th largest of each part; append collects the keys from there on in
//          any order; rank counts for each how many are larger, which is its place. histogram and
//          append: a work-group (ComputeStream.launchRows) owns CHUNK scores of a part; pick: a
//          work-group owns a part; start, rank: ComputeStream.launchElements.
// Parameters: CHUNK: scores of a work-group, at least 1.
// Numbers: exact. A key is (order of the score, the index counted from the other end of the row in
//          index_bits bits), so that no two are equal and the result does not depend on the order of
//          the integer atomics. -0 equals 0.
// Source:  radix select and radix sort.

#include "Common/Launch.clh"

#define BITS 11
#define BINS (1 << BITS)

#ifndef CHUNK
#define CHUNK 4096
#endif

// Rises with the score; 0 for NaN.
static inline uint order_of(float score) {
  if (isnan(score))
    return 0;
  uint bits = as_uint(score + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static inline ulong key_of(float score, int index, int index_bits) {
  return (ulong)order_of(score) << index_bits | (ulong)((1u << index_bits) - 1 - (uint)index);
}

// The bits of a key that a round looks at, highest first; the last round has the few that remain.
static inline int shift_of(int round, int index_bits) {
  return max(32 + index_bits - BITS * (round + 1), 0);
}
static inline int bits_of(int round, int index_bits) {
  return min(BITS, 32 + index_bits - BITS * round);
}

#if DEVICE_IS_CPU
// Selects and sorts: radix select of the k-th score, a scan in index order, then a stable radix
// sort. Of the part's scratch work[0..<k] and work[k..<2k] hold (order, index) pairs.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
topk_forward_cpu(__global const float *restrict x, __global float *restrict values,
                 __global int *restrict indices, __global uint2 *restrict work,
                 __global const int *restrict starts, __global const int *restrict outs,
                 int segments, int total, int kept) {
  int row = (int)get_group_id(0) / segments, s = (int)get_group_id(0) % segments;
  int begin = starts[s], n = starts[s + 1] - begin, k = outs[s + 1] - outs[s];
  size_t out = (size_t)row * kept + outs[s];
  x += (size_t)row * total + begin;
  values += out;
  indices += out;
  work += 2 * out;
  __local int bins[BINS];
  uint limit = 0;
  int ties = 0;
  if (k < n) {
    ties = k;
    for (int shift = 32 - BITS; ; shift = max(shift - BITS, 0)) {
      int bits = shift == 0 ? 32 - 2 * BITS : BITS;
      for (int b = 0; b < BINS; b++)
        bins[b] = 0;
      for (int i = 0; i < n; i++) {
        uint order = order_of(x[i]);
        // Of the first round no higher bits are known; a shift by 32 would be undefined.
        if (shift == 32 - BITS || order >> (shift + bits) == limit >> (shift + bits))
          bins[(order >> shift) & (uint)((1 << bits) - 1)]++;
      }
      int b = (1 << bits) - 1;
      for (; b > 0 && bins[b] < ties; b--)
        ties -= bins[b];
      limit |= (uint)b << shift;
      if (shift == 0)
        break;
    }
  }
  __global uint2 *source = work, *target = work + k;
  int count = 0;
  for (int i = 0; i < n && count < k; i++) {
    uint order = order_of(x[i]);
    bool tied = order == limit && ties > 0;
    if (k == n || order > limit || tied) {
      source[count++] = (uint2)(~order, (uint)i);
      ties -= tied ? 1 : 0;
    }
  }
  for (int shift = 0; shift < 32; shift += BITS) {
    for (int b = 0; b < BINS; b++)
      bins[b] = 0;
    for (int j = 0; j < k; j++)
      bins[(source[j].x >> shift) & (BINS - 1)]++;
    int start = 0;
    for (int b = 0; b < BINS; b++) {
      int size = bins[b];
      bins[b] = start;
      start += size;
    }
    for (int j = 0; j < k; j++)
      target[bins[(source[j].x >> shift) & (BINS - 1)]++] = source[j];
    __global uint2 *other = source;
    source = target;
    target = other;
  }
  for (int j = 0; j < k; j++) {
    indices[j] = begin + (int)source[j].y;
    values[j] = x[source[j].y];
  }
}
#else
// Before round 0: no bit of the k-th key of a part is known, and k keys are wanted.
// state[part] = (key, wanted).
__kernel void topk_start(__global const int *restrict outs, __global ulong *restrict state,
                         __global int *restrict bins, int segments, int count) {
  FOR_EACH_ELEMENT(b, count) {
    bins[b] = 0;
    int part = b / BINS;
    if (b % BINS == 0) {
      state[2 * part] = 0;
      state[2 * part + 1] = (ulong)(outs[part % segments + 1] - outs[part % segments]);
          }
  }
}

// Counts the keys of a part that agree with the known bits by their next bits.
ROW_KERNEL void topk_histogram(__global const float *restrict x,
                               __global const ulong *restrict state,
                               __global const int *restrict starts,
                               __global volatile int *restrict bins, int round, int index_bits,
                               int segments, int chunks, int total) {
  __local int own[BINS];
  int part = (int)get_group_id(0) / chunks, chunk = (int)get_group_id(0) % chunks;
  int row = part / segments, s = part % segments;
  int first = starts[s] + chunk * CHUNK, end = min(first + CHUNK, starts[s + 1]);
  if (first >= end)
    return;
  for (int b = LANE; b < BINS; b += LANES)
    own[b] = 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  int shift = shift_of(round, index_bits), bits = bits_of(round, index_bits);
  ulong known = round == 0 ? 0 : state[2 * part] >> (shift + bits);
  for (int i = first + LANE; i < end; i += LANES) {
    ulong key = key_of(x[(size_t)row * total + i], i, index_bits);
    if (round == 0 || key >> (shift + bits) == known)
      atomic_inc(&own[(int)(key >> shift) & ((1 << bits) - 1)]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int b = LANE; b < BINS; b += LANES)
    if (own[b] > 0)
      atomic_add(&bins[part * BINS + b], own[b]);
}

// Fixes the next bits of a part's k-th key and clears its counts.
ROW_KERNEL void topk_pick(__global ulong *restrict state, __global int *restrict bins, int round,
                          int index_bits) {
  __local int sums[LANES];
  int part = (int)get_group_id(0);
  int each = BINS / LANES;
  __global int *own = bins + part * BINS;
  int sum = 0;
  for (int b = 0; b < each; b++)
    sum += own[LANE * each + b];
  sums[LANE] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (LANE == 0) {
    int wanted = (int)state[2 * part + 1];
    int lane = LANES - 1;
    for (; lane > 0 && sums[lane] < wanted; lane--)
      wanted -= sums[lane];
    int b = lane * each + each - 1;
    for (; b > 0 && own[b] < wanted; b--)
      wanted -= own[b];
    state[2 * part] |= (ulong)b << shift_of(round, index_bits);
    state[2 * part + 1] = (ulong)wanted;
  }
  group_barrier();
  for (int b = LANE; b < BINS; b += LANES)
    own[b] = 0;
}

// Collects every key of a part from the k-th on: exactly k, in any order.
ROW_KERNEL void topk_append(__global const float *restrict x, __global ulong *restrict state,
                            __global const int *restrict starts, __global const int *restrict outs,
                            __global volatile int *restrict bins, __global ulong *restrict keys,
                            int index_bits, int segments, int chunks, int total, int kept) {
  int part = (int)get_group_id(0) / chunks, chunk = (int)get_group_id(0) % chunks;
  int row = part / segments, s = part % segments;
  int first = starts[s] + chunk * CHUNK, end = min(first + CHUNK, starts[s + 1]);
  if (outs[s] == outs[s + 1])
    return;
  for (int i = first + LANE; i < end; i += LANES) {
    ulong key = key_of(x[(size_t)row * total + i], i, index_bits);
    if (key >= state[2 * part])
      keys[(size_t)row * kept + outs[s] + atomic_inc(&bins[part * BINS])] = key;
  }
}

// Each key's place is the number of larger ones of its part.
__kernel void topk_rank(__global const float *restrict x, __global const ulong *restrict keys,
                        __global const int *restrict outs, __global float *restrict values,
                        __global int *restrict indices, int index_bits, int segments, int total,
                        int kept, int count) {
  FOR_EACH_ELEMENT(e, count) {
    int row = e / kept, j = e - row * kept, s = 0;
    for (; s < segments - 1 && outs[s + 1] <= j; s++) {
    }
    size_t begin = (size_t)row * kept;
    ulong key = keys[begin + j];
    int place = outs[s];
    for (int other = outs[s]; other < outs[s + 1]; other++)
      place += keys[begin + other] > key ? 1 : 0;
    int mask = (int)((1u << index_bits) - 1);
    int index = mask - (int)(key & (ulong)mask);
    values[begin + place] = x[(size_t)row * total + index];
    indices[begin + place] = index;
  }
}
#endif
