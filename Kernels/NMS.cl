// Greedy non-maximum suppression.
//
// What:    boxes are visited by falling score; a box is kept unless a kept box of its group has
//          IoU > threshold with it. keep[j] = its place in the input, for the first `limit` kept;
//          the places behind them are -1; count[0] = how many were kept.
// Layout:  of each image: boxes[i] = (x1, y1, x2, y2), groups[i]; order[j], scores[j] = the j-th
//          best box; the images one after the other.
// Launch:  cpu: one work-item an image compares each box with the kept ones, 16 at a time.
//          Elsewhere: pairs fills 32 bits a work-item, bit b of word w of row j = "j suppresses box
//          32 w + b"; then one work-group of LANES items an image scans the rows, 32 at a step.
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
// One work-group an image. Every item settles the 32 boxes of a step for itself, from what the group
// has fetched together; then each item adds what the kept ones suppress to the later words that it
// owns. removed[w]: scratch.
ROW_KERNEL void nms_scan(__global const float *restrict scores, __global const int *restrict order,
                         __global const uint *restrict mask, __global uint *restrict removed,
                         __global int *restrict keep, __global int *restrict count, int limit,
                         int words, int n) {
  __local uint among[32];
  __local int taking[32];
  int image = (int)get_group_id(0);
  scores += (size_t)image * n;
  order += (size_t)image * n;
  mask += (size_t)image * n * words;
  removed += (size_t)image * words;
  keep += (size_t)image * limit;
  for (int w = LANE; w < words; w += LANES)
    removed[w] = 0;
  int size = 0;
  for (int step = 0; step < words && size < limit; step++) {
    group_barrier();
    if (LANE < 32) {
      int j = 32 * step + LANE;
      among[LANE] = j < n ? mask[(size_t)j * words + step] : 0u;
      taking[LANE] = j < n && takes_part(scores[j]);
    }
    group_barrier();
    uint gone = removed[step];
    uint kept = 0;
    int before = size;
    for (int b = 0; b < 32; b++) {
      if (taking[b] && size < limit && !(gone >> b & 1u)) {
        gone |= among[b];
        kept |= 1u << b;
        size++;
      }
    }
    if (LANE < 32 && (kept >> LANE & 1u))
      keep[before + popcount(kept & ((1u << LANE) - 1))] = order[32 * step + LANE];
    for (int w = step + 1 + LANE; w < words; w += LANES) {
      uint bits = removed[w];
      for (int b = 0; b < 32; b++)
        bits |= kept >> b & 1u ? mask[(size_t)(32 * step + b) * words + w] : 0u;
      removed[w] = bits;
    }
  }
  if (LANE == 0)
    count[image] = size;
  for (int m = size + LANE; m < limit; m += LANES)
    keep[m] = -1;
}
#endif
