// Anchors of a level, and the losses of the region proposal network on sampled ones.
//
// What:    lay: anchor a of cell (y, x) of a level = base[a] + stride * (x, y, x, y)
//          The losses of sample j of image n, at anchor rows[n, j]:
//          objectness: bce(logit, j < counts[n].x); deltas: for j < counts[n].x the sum of
//          |delta - wanted|, wanted being the way from the anchor to the matched truth;
//          both summed over all samples and divided by F = eps + the sum over images of
//          max(counts.x, 1) + max(counts.y, 1).
// Layout:  base [A, 4]; anchors [total, 4] of all levels, of which this one has
//          first ..< first + m; logits [N, m] and deltas [N, m, 4] of one level;
//          rows int [N, wanted], anchors counted over all levels, -1 for none; counts int [N, 2];
//          matches int [N, total]; truths, offsets as in BoxMatching.cl; losses [N * wanted], written
//          where the row lies in this level; s: the loss's gradient, one element; gradients like
//          logits and deltas, 0 beforehand, written where a sample lies.
// Launch:  lay: ComputeStream.launchElements over anchors; losses and gradients: over N * wanted;
//          total: one work-group.
// Numbers: float32, sums in a fixed order.
// Source:  spec detector 2.3, Anchors and Losses.

#include "BoxGeometry.clh"
#include "Common/Launch.clh"

#define DIVISOR_FLOOR 1.19e-7f

__kernel void anchors_lay(__global const float *restrict base, __global float *restrict anchors,
                          float stride, int width, int per_cell, int first, int count) {
  FOR_EACH_ELEMENT(i, count) {
    int cell = i / per_cell, a = i - cell * per_cell;
    int y = cell / width, x = cell - y * width;
    float2 corner = stride * (float2)((float)x, (float)y);
    vstore4(vload4(a, base) + corner.xyxy, first + i, anchors);
  }
}

// The number of samples that the losses are divided by.
static inline float divisor_of(__global const int *restrict counts, int images) {
  int sum = 0;
  // One term a round: Intel's CPU compiler (2026.2) dies of two.
  for (int e = 0; e < 2 * images; e++)
    sum += max(counts[e], 1);
  return (float)sum + DIVISOR_FLOOR;
}

// The way from an anchor to the truth that the anchor is matched with.
static inline float4 wanted_delta(__global const float *restrict anchors,
                                  __global const float *restrict truths,
                                  __global const int *restrict offsets,
                                  __global const int *restrict matches, int image, int i, int first,
                                  int total) {
  int truth = offsets[image] + matches[(size_t)image * total + first + i];
  return box_delta(vload4(first + i, anchors), vload4(truth, truths));
}

__kernel void anchors_objectness_forward(__global const float *restrict logits,
                                         __global const int *restrict rows,
                                         __global const int *restrict counts,
                                         __global float *restrict losses, int first, int m,
                                         int wanted, int count) {
  FOR_EACH_ELEMENT(e, count) {
    int image = e / wanted, i = rows[e] - first;
    if (rows[e] >= 0 && i >= 0 && i < m) {
      float x = logits[(size_t)image * m + i];
      float t = e - image * wanted < counts[2 * image] ? 1.0f : 0.0f;
      losses[e] = fmax(x, 0.0f) - x * t + log1p(exp(-fabs(x)));
    }
  }
}

__kernel void anchors_objectness_backward(__global const float *restrict logits,
                                          __global const int *restrict rows,
                                          __global const int *restrict counts,
                                          __global const float *restrict s,
                                          __global float *restrict gradient, int first, int m,
                                          int wanted, int images, int count) {
  float scale = s[0] / divisor_of(counts, images);
  FOR_EACH_ELEMENT(e, count) {
    int image = e / wanted, i = rows[e] - first;
    if (rows[e] >= 0 && i >= 0 && i < m) {
      float x = logits[(size_t)image * m + i];
      float t = e - image * wanted < counts[2 * image] ? 1.0f : 0.0f;
      gradient[(size_t)image * m + i] = scale * (1.0f / (1.0f + exp(-x)) - t);
    }
  }
}

__kernel void anchors_deltas_forward(__global const float *restrict deltas,
                                     __global const float *restrict anchors,
                                     __global const float *restrict truths,
                                     __global const int *restrict offsets,
                                     __global const int *restrict matches,
                                     __global const int *restrict rows,
                                     __global const int *restrict counts,
                                     __global float *restrict losses, int first, int m, int total,
                                     int wanted, int count) {
  FOR_EACH_ELEMENT(e, count) {
    int image = e / wanted, i = rows[e] - first;
    if (i >= 0 && i < m && e - image * wanted < counts[2 * image]) {
      float4 distance =
          fabs(vload4((size_t)image * m + i, deltas) -
               wanted_delta(anchors, truths, offsets, matches, image, i, first, total));
      losses[e] = (distance.x + distance.y) + (distance.z + distance.w);
    }
  }
}

__kernel void anchors_deltas_backward(__global const float *restrict deltas,
                                      __global const float *restrict anchors,
                                      __global const float *restrict truths,
                                      __global const int *restrict offsets,
                                      __global const int *restrict matches,
                                      __global const int *restrict rows,
                                      __global const int *restrict counts,
                                      __global const float *restrict s,
                                      __global float *restrict gradient, int first, int m,
                                      int total, int wanted, int images, int count) {
  float scale = s[0] / divisor_of(counts, images);
  FOR_EACH_ELEMENT(e, count) {
    int image = e / wanted, i = rows[e] - first;
    if (i >= 0 && i < m && e - image * wanted < counts[2 * image]) {
      float4 distance = vload4((size_t)image * m + i, deltas) -
                        wanted_delta(anchors, truths, offsets, matches, image, i, first, total);
      // sign(NaN) would be 0 and hide a broken network.
      float4 slope = isnan(distance) ? distance : sign(distance);
      vstore4(scale * slope, (size_t)image * m + i, gradient);
    }
  }
}

ROW_KERNEL void anchors_total_forward(__global const float *restrict losses,
                                      __global const int *restrict counts,
                                      __global float *restrict loss, int images, int count) {
  ROW_SCRATCH
  float sum = 0.0f;
  for (int e = LANE; e < count; e += LANES)
    sum += losses[e];
  sum = group_add(sum);
  if (LANE == 0)
    loss[0] = sum / divisor_of(counts, images);
}
