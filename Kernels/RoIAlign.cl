// RoIAlign: average pooling of bilinear samples inside regions of interest.
//
// What:    y[r,i,j,c] = sum over n_y x n_x samples s of bilinear(x[b_r], s)[c] / max(n_y n_x, 1),
//          samples as RoIAlignGeometry.clh places them; grad_x is the adjoint.
// Layout:  x[b,h,w,c], y[r,i,j,c], rois[r] = (b, x1, y1, x2, y2), place[r] = (level, b); b = -1 for
//          an image that does not exist: its region gives zeros and gets no gradient.
// Launch:  one launch a pyramid level; regions of other levels are passed over. One work-item an
//          element of y (of grad_x); CPUs take the kernels of RoIAlignCPU.cl.
// Numbers: float32; fixed sum order; gradients are written, not added to.
// Source:  Mask R-CNN (He et al. 2017); behaves as torchvision.ops.roi_align.

#include "RoIAlignGeometry.clh"

// place[r] = (level, image): floor(log2(sqrt(area) / finest + 1e-6)) clamped to the levels.
__kernel void roi_align_place(__global const float *restrict rois, __global int *restrict place,
                              int levels, int images, float finest, int count) {
  FOR_EACH_ELEMENT(r, count) {
    __global const float *roi = rois + 5 * r;
    float ratio = sqrt((roi[3] - roi[1]) * (roi[4] - roi[2])) / finest + 1e-6f;
    int level = 0;
    for (float limit = 2.0f; level < levels - 1 && ratio >= limit; limit *= 2.0f)
      level++;
    place[2 * r] = level;
    place[2 * r + 1] = roi[0] >= 0.0f && roi[0] < (float)images ? (int)roi[0] : -1;
  }
}

// y, one element a work-item.
__kernel void roi_align_forward_reference(__global const float *restrict x,
                                          __global const float *restrict rois,
                                          __global const int *restrict place,
                                          __global float *restrict y, int level, int height,
                                          int width, int channels, int pooled_height,
                                          int pooled_width, float scale, int ratio, int aligned,
                                          int count) {
  FOR_EACH_ELEMENT(i, count) {
    int c = i % channels;
    int bin_x = i / channels % pooled_width;
    int bin_y = i / channels / pooled_width % pooled_height;
    int r = i / channels / pooled_width / pooled_height;
    if (place[2 * r] != level)
      continue;
    int image = place[2 * r + 1];
    __global const float *roi = rois + 5 * r;
    Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
    Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
    float sum = 0.0f;
    if (image >= 0) {
      __global const float *map = x + (size_t)image * height * width * channels + c;
      for (int k = 0; k < rows.samples; k++) {
        int top, bottom, left, right;
        float down, across;
        if (!sample_at(rows, bin_y, k, &top, &bottom, &down))
          continue;
        for (int l = 0; l < columns.samples; l++) {
          if (!sample_at(columns, bin_x, l, &left, &right, &across))
            continue;
          float upper = map[(size_t)(top * width + left) * channels] * (1.0f - across) +
                        map[(size_t)(top * width + right) * channels] * across;
          float lower = map[(size_t)(bottom * width + left) * channels] * (1.0f - across) +
                        map[(size_t)(bottom * width + right) * channels] * across;
          sum += upper * (1.0f - down) + lower * down;
        }
      }
    }
    y[i] = sum * sample_scale(rows, columns);
  }
}

// The first and last bin that can touch a cell, with a margin for rounding.
inline void bins_touching(Axis axis, int cell, int bins, int *first, int *last) {
  *first = 0;
  *last = bins - 1;
  if (axis.bin > 1e-6f) {
    float low = ((float)(cell - 1) - axis.start) / axis.bin - 1.0f;
    float high = ((float)(cell + 1) - axis.start) / axis.bin + 1.0f;
    *first = (int)clamp(floor(low), 0.0f, (float)bins);
    *last = (int)clamp(ceil(high), -1.0f, (float)(bins - 1));
  }
}

// The weight with which a bin sees a cell of one axis.
inline float weight_of(Axis axis, int bin, int cell) {
  float weight = 0.0f;
  for (int k = 0; k < axis.samples; k++) {
    int low, high;
    float fraction;
    if (!sample_at(axis, bin, k, &low, &high, &fraction))
      continue;
    if (low == cell)
      weight += 1.0f - fraction;
    else if (high == cell)
      weight += fraction;
  }
  return weight;
}

// grad_x gathered: one element a work-item, which walks all regions in order.
__kernel void roi_align_backward_gather(__global const float *restrict grad_y,
                                        __global const float *restrict rois,
                                        __global const int *restrict place,
                                        __global float *restrict grad_x, int level, int regions,
                                        int height, int width, int channels, int pooled_height,
                                        int pooled_width, float scale, int ratio, int aligned,
                                        int count) {
  FOR_EACH_ELEMENT(i, count) {
    int c = i % channels;
    int cell_x = i / channels % width;
    int cell_y = i / channels / width % height;
    int image = i / channels / width / height;
    float sum = 0.0f;
    for (int r = 0; r < regions; r++) {
      if (place[2 * r] != level || place[2 * r + 1] != image)
        continue;
      __global const float *roi = rois + 5 * r;
      Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
      Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
      int first_y, last_y, first_x, last_x;
      bins_touching(rows, cell_y, pooled_height, &first_y, &last_y);
      bins_touching(columns, cell_x, pooled_width, &first_x, &last_x);
      float factor = sample_scale(rows, columns);
      for (int bin_y = first_y; bin_y <= last_y; bin_y++) {
        float down = weight_of(rows, bin_y, cell_y) * factor;
        if (down == 0.0f)
          continue;
        for (int bin_x = first_x; bin_x <= last_x; bin_x++) {
          float weight = down * weight_of(columns, bin_x, cell_x);
          size_t row = ((size_t)r * pooled_height + bin_y) * pooled_width + bin_x;
          if (weight != 0.0f)
            sum += weight * grad_y[row * channels + c];
        }
      }
    }
    grad_x[i] = sum;
  }
}
