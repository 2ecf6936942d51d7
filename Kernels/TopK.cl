// TopK: the k largest of n scores.
//
// What:    values[j], indices[j] = the j-th largest of x[0..<n], for j < k; equal scores by rising
//          index, NaN after everything else.
// Layout:  x[i], values[j], indices[j].
// Launch:  cpu: one work-item. Elsewhere six rounds of (histogram, pick) narrow 64-bit keys, 11
//          bits a round, down to the k-th largest; append collects the keys from there on in any
//          order; rank counts for each how many are larger, which is its place.
// Numbers: exact. A key is (order of the score, ~index), so that no two are equal and the result
//          does not depend on the order of the integer atomics. -0 equals 0.
// Source:  radix select and radix sort.

#include "Common/Launch.clh"

#define BITS 11
#define BINS (1 << BITS)
#define ROUNDS 6

// Rises with the score; 0 for NaN.
inline uint order_of(float score) {
  if (isnan(score))
    return 0;
  uint bits = as_uint(score + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

inline ulong key_of(float score, int index) {
  return (ulong)order_of(score) << 32 | (ulong)(0xffffffffu - (uint)index);
}

// The bits that a round looks at; the last round has the few that remain.
inline int shift_of(int round) { return max(64 - BITS * (round + 1), 0); }
inline int bits_of(int round) { return min(BITS, 64 - BITS * round); }

// Selects and sorts: radix select of the k-th score, a scan in index order, then a stable radix
// sort. work[0..<k] and work[k..<2k] hold (order, index) pairs.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
topk_forward_cpu(__global const float *restrict x, __global float *restrict values,
                 __global int *restrict indices, __global uint2 *restrict work, int k, int n) {
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
    indices[j] = (int)source[j].y;
    values[j] = x[source[j].y];
  }
}

// Before round 0: no bit of the k-th key is known, and k keys are wanted. state = (key, wanted,
// appended).
__kernel void topk_start(__global ulong *restrict state, __global int *restrict bins, int k,
                         int count) {
  FOR_EACH_ELEMENT(b, count) {
    bins[b] = 0;
    if (b == 0) {
      state[0] = 0;
      state[1] = (ulong)k;
      state[2] = 0;
    }
  }
}

// Counts the keys that agree with the known bits by their next bits.
__kernel void topk_histogram(__global const float *restrict x, __global const ulong *restrict state,
                             __global int *restrict bins, int round, int n) {
  int shift = shift_of(round), bits = bits_of(round);
  FOR_EACH_ELEMENT(i, n) {
    ulong key = key_of(x[i], i);
    if (round == 0 || key >> (shift + bits) == state[0] >> (shift + bits))
      atomic_inc(&bins[(int)(key >> shift) & ((1 << bits) - 1)]);
  }
}

// Fixes the next bits of the k-th key and clears the counts; one work-item.
__kernel void topk_pick(__global ulong *restrict state, __global int *restrict bins, int round,
                        int count) {
  FOR_EACH_ELEMENT(item, count) {
    if (item == 0) {
      int wanted = (int)state[1];
      int b = (1 << bits_of(round)) - 1;
      for (; b > 0 && bins[b] < wanted; b--)
        wanted -= bins[b];
      state[0] |= (ulong)b << shift_of(round);
      state[1] = (ulong)wanted;
      for (int other = 0; other < BINS; other++)
        bins[other] = 0;
    }
  }
}

// Collects every key from the k-th on: exactly k, in any order.
__kernel void topk_append(__global const float *restrict x, __global const ulong *restrict state,
                          __global int *restrict bins, __global ulong *restrict keys, int n) {
  FOR_EACH_ELEMENT(i, n) {
    ulong key = key_of(x[i], i);
    if (key >= state[0])
      keys[atomic_inc(&bins[0])] = key;
  }
}

// Each key's place is the number of larger ones.
__kernel void topk_rank(__global const float *restrict x, __global const ulong *restrict keys,
                        __global float *restrict values, __global int *restrict indices, int k) {
  FOR_EACH_ELEMENT(j, k) {
    ulong key = keys[j];
    int place = 0;
    for (int other = 0; other < k; other++)
      place += keys[other] > key ? 1 : 0;
    int index = (int)(0xffffffffu - (uint)key);
    values[place] = x[index];
    indices[place] = index;
  }
}
