// Assigns ground truth to boxes by their IoU.
//
// What:    IoU(t, b) = overlap / max(area t + area b - overlap, 1e-6)
//          best[t] = the largest IoU of truth t with a box of its image that takes part
//          matches[n, first + i] = for box i of image n: the last truth t of the image with
//          IoU(t, i) = best[t] >= low; else the first truth of the largest IoU if that is >= positive
//          and there is a truth; else -1 (background) if it is < negative; else -2 (left out).
//          A box takes part if it lies in the first limits[n] = (rows, columns) of the image's grid
//          of `columns` boxes a row and is wider and higher than 0; others get -2.
// Layout:  boxes [total, 4] for all images (per_image 0) or [N, total, 4] (per_image total), of which
//          a launch looks at first ..< first + m; truths [T, 4] of all images one after the other,
//          corners x1, y1, x2, y2; owners int [T] the image of a truth, offsets int [N + 1] where its
//          truths start; limits int [parts, N, 2]; best float bits [T], 0 beforehand; matches int
//          [N, total], truths counted from the image's first.
// Launch:  best: a work-group (ComputeStream.launchRows) owns a truth and CHUNK boxes;
//          assign: ComputeStream.launchElements over N * m.
// Parameters: CHUNK: boxes of a work-group, at least 1.
// Numbers: float32 without contraction, so that both kernels find the same bits of an IoU.
// Source:  spec detector 2.3, Targets; 2.5.

#include "Common/Launch.clh"

#pragma OPENCL FP_CONTRACT OFF

#ifndef CHUNK
#define CHUNK 4096
#endif

#define BACKGROUND -1
#define LEFT_OUT -2

static inline float area_of(float4 box) { return (box.z - box.x) * (box.w - box.y); }

static inline float iou(float4 truth, float4 box) {
  float overlap = fmax(fmin(truth.z, box.z) - fmax(truth.x, box.x), 0.0f) *
                  fmax(fmin(truth.w, box.w) - fmax(truth.y, box.y), 0.0f);
  // Most pairs do not meet.
  return overlap > 0.0f ? overlap / fmax(area_of(truth) + area_of(box) - overlap, 1e-6f) : 0.0f;
}

static inline bool takes_part(int i, float4 box, int columns, int2 limits) {
  return i / columns < limits.x && i % columns < limits.y && box.z > box.x && box.w > box.y;
}

ROW_KERNEL void box_matching_best(__global const float *restrict boxes,
                                  __global const float *restrict truths,
                                  __global const int *restrict owners,
                                  __global const int *restrict limits,
                                  __global volatile int *restrict best, int per_image, int columns,
                                  int m, int first, int part, int images, int chunks) {
  ROW_SCRATCH
  int t = (int)get_group_id(0) / chunks, chunk = (int)get_group_id(0) % chunks;
  int image = owners[t];
  int2 limit = vload2(part * images + image, limits);
  float4 truth = vload4(t, truths);
  __global const float *own = boxes + ((size_t)image * per_image + first) * 4;
  float most = 0.0f;
  for (int i = chunk * CHUNK + LANE; i < min((chunk + 1) * CHUNK, m); i += LANES) {
    float4 box = vload4(i, own);
    float overlap = iou(truth, box);
    if (overlap > most && takes_part(i, box, columns, limit))
      most = overlap;
  }
  most = group_max(most);
  // Floats from 0 on are ordered like their bits.
  if (LANE == 0 && most > 0.0f)
    atomic_max(&best[t], as_int(most));
}

__kernel void box_matching_assign(__global const float *restrict boxes,
                                  __global const float *restrict truths,
                                  __global const int *restrict offsets,
                                  __global const int *restrict limits,
                                  __global const float *restrict best,
                                  __global int *restrict matches, float positive, float negative,
                                  float low, int per_image, int columns, int m, int first,
                                  int part, int images, int total, int count) {
  FOR_EACH_ELEMENT(e, count) {
    int image = e / m, i = e - image * m;
    float4 box = vload4((size_t)image * per_image + first + i, boxes);
    int match = LEFT_OUT;
    if (takes_part(i, box, columns, vload2(part * images + image, limits))) {
      int begin = offsets[image], end = offsets[image + 1];
      int nearest = 0, forced = -1;
      float most = 0.0f;
      for (int t = begin; t < end; t++) {
        float overlap = iou(vload4(t, truths), box);
        if (overlap > most) {
          most = overlap;
          nearest = t - begin;
        }
        if (overlap >= low && overlap == best[t])
          forced = t - begin;
      }
      if (forced >= 0)
        match = forced;
      else if (end > begin && most >= positive)
        match = nearest;
      else if (most < negative)
        match = BACKGROUND;
    }
    matches[(size_t)image * total + first + i] = match;
  }
}
