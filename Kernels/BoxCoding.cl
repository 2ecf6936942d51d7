// Boxes from deltas of reference boxes, and the choice of proposals from them.
//
// What:    with centres (x, y) and sizes (w, h) of a reference p and a target g:
//          delta = ((g_x - p_x) / p_w, (g_y - p_y) / p_h, log(g_w / p_w), log(g_h / p_h)),
//          less the mean, over the deviation. Decoding is the inverse, with the two logarithms
//          limited to [-max_log, max_log] and, where clip_width >= 0, corners limited to the image.
// Layout:  boxes (x1, y1, x2, y2) and deltas (dx, dy, dw, dh) one row a box; statistics = four
//          means, then four deviations.
// Launch:  ComputeStream.launchElements over boxes.
// Numbers: float32; outputs are written; no gradients.
// Source:  R-CNN (Girshick et al. 2014), appendix C; spec detector 2.3.

#include "Common/Launch.clh"

static inline float4 decoded(float4 box, float4 delta, float max_log, float clip_width,
                             float clip_height) {
  float width = box.z - box.x, height = box.w - box.y;
  float x = 0.5f * (box.x + box.z) + delta.x * width;
  float y = 0.5f * (box.y + box.w) + delta.y * height;
  float half_width = 0.5f * width * exp(clamp(delta.z, -max_log, max_log));
  float half_height = 0.5f * height * exp(clamp(delta.w, -max_log, max_log));
  float4 result = (float4)(x - half_width, y - half_height, x + half_width, y + half_height);
  if (clip_width >= 0.0f)
    result = clamp(result, (float4)0.0f,
                   (float4)(clip_width, clip_height, clip_width, clip_height));
  return result;
}

// results = boxes moved by deltas
__kernel void box_coding_decode(__global const float *restrict boxes,
                                __global const float *restrict deltas,
                                __global const float *restrict statistics,
                                __global float *restrict results, float max_log, float clip_width,
                                float clip_height, int count) {
  float4 mean = vload4(0, statistics), deviation = vload4(1, statistics);
  FOR_EACH_ELEMENT(i, count) {
    float4 delta = vload4(i, deltas) * deviation + mean;
    vstore4(decoded(vload4(i, boxes), delta, max_log, clip_width, clip_height), i, results);
  }
}

// The chosen boxes of each image, decoded and limited to the image: result j of image n is box
// chosen[n, j] of its level, of which outs[level] ..< outs[level + 1] are results. The score of a box
// that is not wider and higher than min_size becomes -inf, which suppression leaves out.
// boxes [total, 4], deltas [N, total, 4], sizes [N, 2] (width, height), the rest [N, kept, ...].
__kernel void box_coding_decode_chosen(__global const float *restrict boxes,
                                       __global const float *restrict deltas,
                                       __global const float *restrict statistics,
                                       __global const float *restrict sizes,
                                       __global const int *restrict outs,
                                       __global const int *restrict chosen,
                                       __global const float *restrict scores,
                                       __global float *restrict result_boxes,
                                       __global float *restrict result_scores,
                                       __global int *restrict result_levels, float max_log,
                                       float min_size, int levels, int total, int kept,
                                       int count) {
  float4 mean = vload4(0, statistics), deviation = vload4(1, statistics);
  FOR_EACH_ELEMENT(e, count) {
    int image = e / kept, j = e - image * kept, level = 0;
    for (; level < levels - 1 && outs[level + 1] <= j; level++) {
    }
    float2 size = vload2(image, sizes);
    float4 delta = vload4((size_t)image * total + chosen[e], deltas) * deviation + mean;
    float4 box = decoded(vload4(chosen[e], boxes), delta, max_log, size.x, size.y);
    bool large = box.z - box.x > min_size && box.w - box.y > min_size;
    vstore4(box, e, result_boxes);
    result_scores[e] = large ? scores[e] : -INFINITY;
    result_levels[e] = level;
  }
}

// The kept boxes of each image, of n, and the sigmoid of their scores; zeros where kept[i] is -1.
__kernel void box_coding_collect(__global const float *restrict boxes,
                                 __global const float *restrict scores,
                                 __global const int *restrict kept,
                                 __global float *restrict result_boxes,
                                 __global float *restrict result_scores, int limit, int n,
                                 int count) {
  FOR_EACH_ELEMENT(i, count) {
    size_t index = (size_t)(i / limit) * n + max(kept[i], 0);
    vstore4(kept[i] < 0 ? (float4)0.0f : vload4(index, boxes), i, result_boxes);
    result_scores[i] = kept[i] < 0 ? 0.0f : 1.0f / (1.0f + exp(-scores[index]));
  }
}
