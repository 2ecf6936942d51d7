// RoIAlign: average pooling of bilinear samples inside regions of interest.
//
// What:    y[r,i,j,c] = sum over n_y x n_x samples s of bilinear(x[b_r], s)[c] / max(n_y n_x, 1),
//          samples as RoIAlignGeometry.clh places them; grad_x is the adjoint.
// Layout:  x[b,h,w,c], y[r,i,j,c], rois[r] = (b, x1, y1, x2, y2), place[r] = (level, b); b = -1 for
//          an image that does not exist: its region gives zeros and gets no gradient.
// Launch:  one launch a pyramid level; regions of other levels are passed over. forward_channels: a
//          work-item owns `channels` neighbouring channels of a bin, launched like FOR_EACH_VECTOR.
//          backward_tiled: work-group (LANES, 1, 1) owns TILE x TILE cells of an image by ACROSS *
//          CHANNEL_WIDTH channels; groups (tiles, slices of channels, images). It lists the regions
//          that reach its tile, LISTED at a time, and works out their weights, BATCH regions by
//          BINS x BINS bins at a time, before its items add up gradients; an item owns `channels`
//          neighbouring channels of OWN_CELLS cells of a column, so that it loads a bin once for
//          all of them. Few, as their sums are registers. CPUs take RoIAlignCPU.cl.
// Parameters:
//          STORAGE, VECTOR   of x, y and their gradients, see Common/Channels.clh
//          ACROSS            items that share a cell: LANES / (TILE * TILE) where channels are few,
//                            else LANES / TILE
// Numbers: arithmetic is float32; fixed sum order: gradients by rising region, then bin; written,
//          not added to.
// Source:  Mask R-CNN (He et al. 2017); behaves as torchvision.ops.roi_align.

#include "Common/Channels.clh"
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

#if !DEVICE_IS_CPU

#define TILE 4
#ifndef ACROSS
#define ACROSS (LANES / TILE)
#endif
#define LISTED 256
#define BATCH 16
#define BINS 16
// Rows of the tile between the cells that an item owns, and how many those are.
#define LINE_STEP (LANES / ACROSS / TILE)
#define OWN_CELLS (TILE / LINE_STEP)
// One after the other for up to TILE cells: compilers keep arrays that loops index in memory.
#define FOR_OWN_CELLS(STEP) STEP(0) STEP(1) STEP(2) STEP(3)

// y, `channels` neighbours of a bin a work-item.
__kernel void roi_align_forward_channels(__global const stored *restrict x,
                                         __global const float *restrict rois,
                                         __global const int *restrict place,
                                         __global stored *restrict y, int level, int height,
                                         int width, int features, int pooled_height,
                                         int pooled_width, float scale, int ratio, int aligned,
                                         int count) {
  FOR_EACH_VECTOR(i, count) {
    int c = i % features;
    int bin_x = i / features % pooled_width;
    int bin_y = i / features / pooled_width % pooled_height;
    int r = i / features / pooled_width / pooled_height;
    if (place[2 * r] != level)
      continue;
    int image = place[2 * r + 1];
    __global const float *roi = rois + 5 * r;
    Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
    Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
    channels sum = 0.0f;
    if (image >= 0) {
      __global const stored *map = x + (size_t)image * height * width * features + c;
      for (int k = 0; k < rows.samples; k++) {
        int top, bottom, left, right;
        float down, across;
        if (!sample_at(rows, bin_y, k, &top, &bottom, &down))
          continue;
        __global const stored *upper = map + (size_t)top * width * features;
        __global const stored *lower = map + (size_t)bottom * width * features;
        for (int l = 0; l < columns.samples; l++) {
          if (!sample_at(columns, bin_x, l, &left, &right, &across))
            continue;
          left *= features;
          right *= features;
          channels high =
              multiply_add((channels)across, load_stored(upper + right, CHANNEL_WIDTH, 0.0f),
                           (1.0f - across) * load_stored(upper + left, CHANNEL_WIDTH, 0.0f));
          channels low =
              multiply_add((channels)across, load_stored(lower + right, CHANNEL_WIDTH, 0.0f),
                           (1.0f - across) * load_stored(lower + left, CHANNEL_WIDTH, 0.0f));
          sum += multiply_add((channels)down, low, (1.0f - down) * high);
        }
      }
    }
    store_stored(sum * sample_scale(rows, columns), y + i, CHANNEL_WIDTH);
  }
}

// The first and last bin that can touch a cell, with a margin for rounding.
static inline void bins_touching(Axis axis, int cell, int bins, int *first, int *last) {
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
static inline float weight_of(Axis axis, int bin, int cell) {
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

// Whether the samples of an axis can touch cells first..<end.
static inline bool reaches(Axis axis, int bins, int first, int end) {
  float from = axis.start, to = axis.start + axis.bin * (float)bins;
  return fmin(from, to) <= (float)end && fmax(from, to) >= (float)(first - 1);
}

// For one axis of a region and one cell, the weights of bins first_bin..<first_bin + BINS and the
// range first | end << 16 of those that are not 0, counted from first_bin.
static inline int put_weights(Axis axis, int cell, int first_bin, int bins, float factor,
                              __local float *weights) {
  int first, last, begin = BINS, end = 0;
  bins_touching(axis, cell, bins, &first, &last);
  for (int bin = max(first, first_bin); bin <= min(last, first_bin + BINS - 1); bin++) {
    float weight = weight_of(axis, bin, cell) * factor;
    weights[bin - first_bin] = weight;
    if (weight != 0.0f) {
      begin = min(begin, bin - first_bin);
      end = bin - first_bin + 1;
    }
  }
  return min(begin, end) | end << 16;
}

// Weight i of those that put_weights gave a range of; 0 outside of it.
static inline float weight_in(int range, __local const float *weights, int i) {
  return i >= (range & 0xffff) && i < range >> 16 ? weights[i] : 0.0f;
}

// Appends the regions r of a round whose items raise `flag` to the list of `listed` ones, in their
// order; returns how many there are then. The list may be read at once.
static inline int append_flagged(int r, int flag, int listed, __local int *list, __local int *flags,
                                 __local int *parts) {
  flags[LANE] = flag;
  group_barrier();
  if (LANE < LANES / 16) {
    int part = 0;
    for (int k = 0; k < 16; k++)
      part += flags[LANE * 16 + k];
    parts[LANE] = part;
  }
  group_barrier();
  int position = listed;
  for (int k = 0; k < LANES / 16; k++) {
    position += k < LANE / 16 ? parts[k] : 0;
    listed += parts[k];
  }
  for (int k = LANE / 16 * 16; k < LANE; k++)
    position += flags[k];
  if (flag)
    list[position] = r;
  group_barrier();
  return listed;
}

// grad_x gathered by tiles.
ROW_KERNEL void roi_align_backward_tiled(__global const stored *restrict grad_y,
                                         __global const float *restrict rois,
                                         __global const int *restrict place,
                                         __global stored *restrict grad_x, int level, int regions,
                                         int height, int width, int features, int pooled_height,
                                         int pooled_width, float scale, int ratio, int aligned) {
  __local int list[LISTED], flags[LANES], parts[LANES / 16];
  // The rows of a region's cells, then its columns.
  __local float weights[BATCH][2 * TILE][BINS];
  __local int ranges[BATCH][2 * TILE];
  int tiles_across = (width + TILE - 1) / TILE;
  int top = (int)get_group_id(0) / tiles_across * TILE;
  int left = (int)get_group_id(0) % tiles_across * TILE;
  int image = (int)get_group_id(2);
  int c = ((int)get_group_id(1) * ACROSS + LANE % ACROSS) * CHANNEL_WIDTH;
  int line = LANE / ACROSS / TILE, column = LANE / ACROSS % TILE;
  channels sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
  int listed = 0;
  for (int round = 0; round < regions; round += LANES) {
    int r = round + LANE, flag = 0;
    if (r < regions && place[2 * r] == level && place[2 * r + 1] == image) {
      __global const float *roi = rois + 5 * r;
      Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
      Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
      flag = reaches(rows, pooled_height, top, top + TILE) &&
             reaches(columns, pooled_width, left, left + TILE);
    }
    listed = append_flagged(r, flag, listed, list, flags, parts);
    if (listed <= LISTED - LANES && round + LANES < regions)
      continue;
    // Adds what the listed regions give.
    for (int first = 0; first < listed; first += BATCH) {
      int batch = min(BATCH, listed - first);
      for (int bin_y = 0; bin_y < pooled_height; bin_y += BINS) {
        for (int bin_x = 0; bin_x < pooled_width; bin_x += BINS) {
          for (int e = LANE; e < batch * 2 * TILE; e += LANES) {
            int entry = e / (2 * TILE), cell = e % (2 * TILE);
            __global const float *roi = rois + 5 * list[first + entry];
            Axis rows = axis_of(roi[2], roi[4], scale, pooled_height, ratio, aligned, height);
            Axis columns = axis_of(roi[1], roi[3], scale, pooled_width, ratio, aligned, width);
            int is_row = cell < TILE;
            ranges[entry][cell] =
                put_weights(is_row ? rows : columns, is_row ? top + cell : left + cell - TILE,
                            is_row ? bin_y : bin_x, is_row ? pooled_height : pooled_width,
                            is_row ? sample_scale(rows, columns) : 1.0f, weights[entry][cell]);
          }
          group_barrier();
          for (int entry = 0; c < features && entry < batch; entry++) {
            int range_x = ranges[entry][TILE + column], begin = BINS, end = 0;
            UNROLL for (int own = 0; own < OWN_CELLS; own++) {
              int range_y = ranges[entry][line + own * LINE_STEP];
              begin = min(begin, range_y & 0xffff);
              end = max(end, range_y >> 16);
            }
            for (int i = begin; i < end; i++) {
#define ROW_WEIGHT(own)                                                                            \
  float down##own = own < OWN_CELLS ? weight_in(ranges[entry][line + own * LINE_STEP],             \
                                                weights[entry][line + own * LINE_STEP], i)         \
                                    : 0.0f;
              FOR_OWN_CELLS(ROW_WEIGHT)
              int bin = (list[first + entry] * pooled_height + bin_y + i) * pooled_width + bin_x;
              for (int j = range_x & 0xffff; j < range_x >> 16; j++) {
                channels value =
                    load_stored(grad_y + (size_t)(bin + j) * features + c, CHANNEL_WIDTH, 0.0f);
                float across = weights[entry][TILE + column][j];
// What another row gets must not spread an infinity to this one.
#define ADD(own)                                                                                   \
  if (down##own != 0.0f)                                                                           \
    sum##own = multiply_add((channels)(down##own * across), value, sum##own);
                FOR_OWN_CELLS(ADD)
              }
            }
          }
          group_barrier();
        }
      }
    }
    listed = 0;
  }
#define STORE_SUM(own)                                                                             \
  if (own < OWN_CELLS && c < features && top + line + own * LINE_STEP < height &&                  \
      left + column < width)                                                                       \
    store_stored(                                                                                  \
        sum##own,                                                                                  \
        grad_x +                                                                                   \
            (((size_t)image * height + top + line + own * LINE_STEP) * width + left + column) *    \
                features +                                                                         \
            c,                                                                                     \
        CHANNEL_WIDTH);
  FOR_OWN_CELLS(STORE_SUM)
}

#endif
