// Greedy non-maximum suppression.
//
// What:    boxes are visited by falling score; a box is kept unless a kept box of its group has
//          IoU > threshold with it. keep[j] = its place in the input, for the first `limit` kept;
//          the places behind them are -1; count[0] = how many were kept.
// Layout:  of each image: boxes[i] = (x1, y1, x2, y2), groups[i]; order[j], scores[j] = the j-th
//          best box; the images one after the other.
// Launch:  cpu: one work-item an image compares each box with the kept ones, 16 at a time.
//          Elsewhere: pairs fills 32 bits a work-item, bit b of word w of row j = "j suppresses box
//          32 w + b"; then one work-group of LANES items an image scans the rows, BLOCK at a step.
// Numbers: float32 on continuous boxes, IoU = overlap / union without contraction; a score of -inf
//          or NaN leaves the box out. Exact decisions, so the variants agree.
// Source:  spec detector 2.3, Proposals; behaves as torchvision.ops.nms.

#include "Common/Launch.clh"

#pragma OPENCL FP_CONTRACT OFF

static inline bool takes_part(float score) { return score > -INFINITY; }

#if DEVICE_IS_CPU
// kept_*[m]: the kept boxes with their areas, padded to a multiple of 16 by empty boxes.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
nms_forward_cpu(__global const float *restrict boxes, __global const int *restrict groups,
                __global const float *restrict scores, __global const int *restrict order,
                __global float *restrict kept, __global int *restrict kept_groups,
                __global int *restrict keep, __global int *restrict count, float threshold,
                int limit, int n) {
  int image = (int)get_group_id(0);
  int capacity = (n + 15) / 16 * 16;
  boxes += (size_t)image * n * 4;
  groups = groups ? groups + (size_t)image * n : 0;
  scores += (size_t)image * n;
  order += (size_t)image * n;
  kept += (size_t)image * capacity * 5;
  kept_groups += (size_t)image * capacity;
  keep += (size_t)image * limit;
  __global float *left = kept, *top = left + capacity, *right = top + capacity;
  __global float *bottom = right + capacity, *areas = bottom + capacity;
  int size = 0;
  for (int j = 0; j < n && size < limit && takes_part(scores[j]); j++) {
    int index = order[j];
    float4 box = vload4(index, boxes);
    float area = (box.z - box.x) * (box.w - box.y);
    int group = groups ? groups[index] : 0;
    bool suppressed = false;
    for (int block = 0; block < size && !suppressed; block += 64) {
      int16 hits = 0;
      for (int m = block; m < min(block + 64, size); m += 16) {
        float16 width = fmin(vload16(0, right + m), (float16)box.z) -
                        fmax(vload16(0, left + m), (float16)box.x);
        float16 height = fmin(vload16(0, bottom + m), (float16)box.w) -
                         fmax(vload16(0, top + m), (float16)box.y);
        float16 overlap = fmax(width, (float16)0.0f) * fmax(height, (float16)0.0f);
        float16 joint = vload16(0, areas + m) + (float16)area - overlap;
        hits |= (overlap / joint > (float16)threshold) &
                (vload16(0, kept_groups + m) == (int16)group);
      }
      suppressed = any(hits);
    }
    if (suppressed)
      continue;
    if (size % 16 == 0) {
      vstore16((float16)0.0f, 0, left + size);
      vstore16((float16)0.0f, 0, top + size);
      vstore16((float16)0.0f, 0, right + size);
      vstore16((float16)0.0f, 0, bottom + size);
      vstore16((float16)0.0f, 0, areas + size);
      vstore16((int16)-1, 0, kept_groups + size);
    }
    left[size] = box.x;
    top[size] = box.y;
    right[size] = box.z;
    bottom[size] = box.w;
    areas[size] = area;
    kept_groups[size] = group;
    keep[size++] = index;
  }
  count[image] = size;
  for (int m = size; m < limit; m++)
    keep[m] = -1;
}
#endif

// mask[j * words + w]: which of the boxes 32 w ..< 32 w + 32 of the order box j suppresses.
__kernel void nms_pairs(__global const float *restrict boxes, __global const int *restrict groups,
                        __global const int *restrict order, __global uint *restrict mask,
                        float threshold, int n, int words, int total) {
  FOR_EACH_ELEMENT(i, total) {
    int row = i / words, word = i - row * words;
    int image = row / n, j = row - image * n;
    uint bits = 0;
    // A box suppresses later ones only.
    if (32 * word + 31 > j) {
      __global const float *own = boxes + (size_t)image * n * 4;
      __global const int *places = order + (size_t)image * n;
      __global const int *kinds = groups ? groups + (size_t)image * n : 0;
      float4 box = vload4(places[j], own);
      float area = (box.z - box.x) * (box.w - box.y);
      int group = kinds ? kinds[places[j]] : 0;
      for (int b = 0; b < 32; b++) {
        int m = 32 * word + b;
        if (m <= j || m >= n)
          continue;
        float4 other = vload4(places[m], own);
        float overlap = fmax(fmin(box.z, other.z) - fmax(box.x, other.x), 0.0f) *
                        fmax(fmin(box.w, other.w) - fmax(box.y, other.y), 0.0f);
        float joint = area + (other.z - other.x) * (other.w - other.y) - overlap;
        int other_group = kinds ? kinds[places[m]] : 0;
        if (overlap / joint > threshold && group == other_group)
          bits |= 1u << b;
      }
    }
    mask[i] = bits;
  }
}

#if !DEVICE_IS_CPU
// Words of the mask that a step of the scan settles, and the boxes in them.
#define BLOCK_WORDS 4
#define BLOCK (32 * BLOCK_WORDS)
// The lanes of a group share the words of a block and split the rows.
#define ROW (LANE / BLOCK_WORDS)
#define ROW_STEP (LANES / BLOCK_WORDS)
// Rows that a lane asks for at once, as a step waits for them.
#define ASKED 16

// What a lane's share of the first `size` rows suppresses in a column of words. Rows that are asked for
// twice change nothing.
static inline uint suppressed(__global const uint *column, int words, __global const int *rows,
                              int size) {
  uint bits = 0;
  int now[ASKED], next[ASKED];
  UNROLL for (int a = 0; a < ASKED; a++) now[a] =
      size > 0 ? rows[min(ROW + a * ROW_STEP, size - 1)] : 0;
  for (int i = ROW; i < size; i += ASKED * ROW_STEP) {
    UNROLL for (int a = 0; a < ASKED; a++) next[a] =
        rows[min(i + (ASKED + a) * ROW_STEP, size - 1)];
    UNROLL for (int a = 0; a < ASKED; a++) bits |= column[(size_t)now[a] * words];
    UNROLL for (int a = 0; a < ASKED; a++) now[a] = next[a];
  }
  return bits;
}

// One work-group an image. In each step it fetches together what the boxes of a block suppress among
// themselves and which of them the kept ones suppress; then every item settles the block for itself,
// from local memory, box by kept box. Meanwhile keep[m] is the place in the order.
ROW_KERNEL void nms_scan(__global const float *restrict scores, __global const int *restrict order,
                         __global const uint *restrict mask, __global int *restrict keep,
                         __global int *restrict count, int limit, int words, int n) {
  __local uint among[BLOCK][BLOCK_WORDS];
  // Boxes that are out before a block is settled; the other half is cleared for the next block.
  __local uint out[2][BLOCK_WORDS];
  const int image = (int)get_group_id(0), k = LANE % BLOCK_WORDS;
  scores += (size_t)image * n;
  order += (size_t)image * n;
  mask += (size_t)image * n * words;
  keep += (size_t)image * limit;
  if (LANE < BLOCK_WORDS)
    out[0][LANE] = 0;
  int size = 0, parity = 0;
  for (int first = 0; first < words && size < limit; first += BLOCK_WORDS, parity = 1 - parity) {
    group_barrier();
    if (LANE < BLOCK_WORDS)
      out[1 - parity][LANE] = 0;
    // Past the last box anything is fetched, as those boxes are out.
    __global const uint *column = mask + min(first + k, words - 1);
    uint own[BLOCK / ROW_STEP];
    UNROLL for (int i = 0; i < BLOCK / ROW_STEP; i++) own[i] =
        column[(size_t)min(32 * first + ROW + i * ROW_STEP, n - 1) * words];
    float score[BLOCK / LANES];
    UNROLL for (int i = 0; i < BLOCK / LANES; i++) score[i] =
        scores[min(32 * first + LANE + i * LANES, n - 1)];
    atomic_or(&out[parity][k], suppressed(column, words, keep, size));
    UNROLL for (int i = 0; i < BLOCK / LANES; i++) {
      int r = LANE + i * LANES;
      if (32 * first + r >= n || !takes_part(score[i]))
        atomic_or(&out[parity][r / 32], 1u << r % 32);
    }
    UNROLL for (int i = 0; i < BLOCK / ROW_STEP; i++) among[ROW + i * ROW_STEP][k] = own[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    uint gone[BLOCK_WORDS];
    UNROLL for (int w = 0; w < BLOCK_WORDS; w++) gone[w] = out[parity][w];
    UNROLL for (int w = 0; w < BLOCK_WORDS; w++) {
      uint open = ~gone[w], kept = 0;
      const int before = size;
      while (open && size < limit) {
        uint best = open & (0u - open);
        int row = 32 * w + 31 - (int)clz(best);
        kept |= best;
        size++;
        open &= ~(best | among[row][w]);
        UNROLL for (int later = w + 1; later < BLOCK_WORDS; later++) gone[later] |=
            among[row][later];
      }
      if (LANE < 32 && (kept >> LANE & 1u))
        keep[before + popcount(kept & ((1u << LANE) - 1))] = 32 * (first + w) + LANE;
    }
  }
  if (LANE == 0)
    count[image] = size;
  group_barrier();
  for (int m = LANE; m < limit; m += LANES)
    keep[m] = m < size ? order[keep[m]] : -1;
}
#endif
