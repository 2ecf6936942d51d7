// Draws positives and negatives for a loss, uniformly and without repetition.
//
// What:    box i of image n has the key mix(starts[n] + (i + 1) * phi), number i of the SplitMix64
//          sequence that starts there, and is a positive (matches >= 0), a negative (-1) or neither
//          (-2). Of the P positives those with the p = min(P, most_positive) smallest keys are taken,
//          of the negatives those with the min(their number, wanted - p) smallest.
//          rows[n] = the positives by rising index, then the negatives by rising index, then -1;
//          counts[n] = (positives, negatives) taken.
//          regions: what the heads are trained on at these rows.
// Layout:  matches int [N, n]; starts ulong [N]; keys ulong [N, n]: two bits of class (0 positive,
//          1 negative, 3 neither), then the upper 62 bits of the key; bins int [N, 2, BINS], 0
//          beforehand; state int [N, 2, 3] = (taken, last bin, listed); listed_keys, listed_indices
//          [N, 2, capacity]; rows int [N, wanted]; counts int [N, 2].
// Launch:  keys, append: ComputeStream.launchElements over N * n; pick, finish: a work-group an
//          image (ComputeStream.launchRows); regions: ComputeStream.launchElements over N * wanted.
//          keys counts by the first 11 bits, pick finds the bin of the last key that is taken,
//          append lists what lies in it and before, finish ranks the list.
// Numbers: exact; the order in which atomics list keys does not matter.
// Source:  spec detector 2.3 and 2.5; SplitMix64 (Steele, Lea, Flood 2014).

#include "BoxGeometry.clh"
#include "Common/Launch.clh"

#define BITS 11
#define BINS (1 << BITS)
#define KINDS 2
#define NOT_CHOSEN 0x7fffffff

static inline ulong mix(ulong value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
  return value ^ (value >> 31);
}

static inline int kind_of(ulong key) { return (int)(key >> 62); }
static inline int bin_of(ulong key) { return (int)(key >> (62 - BITS)) & (BINS - 1); }

__kernel void box_sampling_keys(__global const int *restrict matches,
                                __global const ulong *restrict starts,
                                __global ulong *restrict keys,
                                __global volatile int *restrict bins, int n, int count) {
  FOR_EACH_ELEMENT(e, count) {
    int image = e / n, i = e - image * n;
    ulong kind = matches[e] >= 0 ? 0 : matches[e] == -1 ? 1 : 3;
    ulong key = kind << 62 | mix(starts[image] + (ulong)(i + 1) * 0x9E3779B97F4A7C15UL) >> 2;
    keys[e] = key;
    if (kind < KINDS)
      atomic_inc(&bins[(KINDS * image + (int)kind) * BINS + bin_of(key)]);
  }
}

ROW_KERNEL void box_sampling_pick(__global const int *restrict bins, __global int *restrict state,
                                  __global int *restrict counts, int wanted, int most_positive) {
  __local int sums[KINDS][LANES];
  int image = (int)get_group_id(0);
  __global const int *own = bins + (size_t)KINDS * BINS * image;
  for (int kind = 0; kind < KINDS; kind++) {
    int sum = 0;
    for (int b = 0; b < BINS / LANES; b++)
      sum += own[kind * BINS + LANE * (BINS / LANES) + b];
    sums[kind][LANE] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (LANE == 0) {
    int budget = min(wanted, most_positive), left = wanted;
    for (int kind = 0; kind < KINDS; kind++) {
      int total = 0;
      for (int lane = 0; lane < LANES; lane++)
        total += sums[kind][lane];
      int taken = min(budget, total), rest = taken, lane = 0;
      for (; lane < LANES - 1 && sums[kind][lane] < rest; lane++)
        rest -= sums[kind][lane];
      int b = lane * (BINS / LANES);
      for (; b < BINS - 1 && own[kind * BINS + b] < rest; b++)
        rest -= own[kind * BINS + b];
      __global int *out = state + 3 * (KINDS * image + kind);
      out[0] = taken;
      out[1] = taken > 0 ? b : -1;
      out[2] = 0;
      counts[KINDS * image + kind] = taken;
      left -= taken;
      budget = left;
    }
  }
}

__kernel void box_sampling_append(__global const ulong *restrict keys,
                                  __global volatile int *restrict state,
                                  __global ulong *restrict listed_keys,
                                  __global int *restrict listed_indices, int capacity, int n,
                                  int count) {
  FOR_EACH_ELEMENT(e, count) {
    ulong key = keys[e];
    int image = e / n, kind = kind_of(key);
    if (kind < KINDS) {
      int list = KINDS * image + kind;
      if (bin_of(key) <= state[3 * list + 1]) {
        int place = atomic_inc(&state[3 * list + 2]);
        // Bins of hashes hold what the host has reserved for them many times over.
        if (place < capacity) {
          listed_keys[(size_t)list * capacity + place] = key;
          listed_indices[(size_t)list * capacity + place] = e - image * n;
        }
      }
    }
  }
}

// chosen: scratch like listed_indices.
ROW_KERNEL void box_sampling_finish(__global const int *restrict state,
                                    __global const ulong *restrict listed_keys,
                                    __global const int *restrict listed_indices,
                                    __global int *restrict chosen, __global int *restrict rows,
                                    int capacity, int wanted) {
  int image = (int)get_group_id(0);
  __global int *own = rows + (size_t)image * wanted;
  int base = 0;
  for (int kind = 0; kind < KINDS; kind++) {
    int list = KINDS * image + kind;
    int taken = state[3 * list], size = min(state[3 * list + 2], capacity);
    __global const ulong *keys = listed_keys + (size_t)list * capacity;
    __global const int *indices = listed_indices + (size_t)list * capacity;
    __global int *kept = chosen + (size_t)list * capacity;
    for (int a = LANE; a < size; a += LANES) {
      int rank = 0;
      for (int b = 0; b < size; b++)
        rank += keys[b] < keys[a] ? 1 : 0;
      kept[a] = rank < taken ? indices[a] : NOT_CHOSEN;
    }
    group_barrier();
    for (int a = LANE; a < size; a += LANES) {
      int index = kept[a], place = 0;
      for (int b = 0; b < size; b++)
        place += kept[b] < index ? 1 : 0;
      if (index != NOT_CHOSEN && place < taken)
        own[base + place] = index;
    }
    base += taken;
  }
  for (int j = base + LANE; j < wanted; j += LANES)
    own[j] = -1;
}

// What stands at each sampled row: regions (image, corners), the class or `background`, the delta to
// the matched truth over the deviations (0 for negatives) and the truth's place in its image (-1).
// Rows of -1 get zeros.
__kernel void box_sampling_regions(__global const float *restrict boxes,
                                   __global const int *restrict matches,
                                   __global const int *restrict rows,
                                   __global const float *restrict truths,
                                   __global const int *restrict offsets,
                                   __global const int *restrict classes,
                                   __global const float *restrict statistics,
                                   __global float *restrict regions, __global int *restrict labels,
                                   __global float *restrict deltas, __global int *restrict matched,
                                   int background, int wanted, int n, int count) {
  float4 mean = vload4(0, statistics), deviation = vload4(1, statistics);
  FOR_EACH_ELEMENT(e, count) {
    int image = e / wanted, row = rows[e];
    size_t place = (size_t)image * n + max(row, 0);
    float4 p = row < 0 ? (float4)0.0f : vload4(place, boxes);
    int match = row < 0 ? -1 : matches[place];
    float4 delta = 0.0f;
    if (match >= 0) {
      delta = (box_delta(p, vload4(offsets[image] + match, truths)) - mean) / deviation;
    }
    regions[5 * e] = (float)image;
    vstore4(p, 0, regions + 5 * e + 1);
    labels[e] = match >= 0 ? classes[offsets[image] + match] : background;
    vstore4(delta, e, deltas);
    matched[e] = match;
  }
}
