// The top-down step of a feature pyramid: nearest up-sampling fused with a sum.
//
// What:    y[n, h, w, c] = lateral[n, h, w, c] + top[n, s(h), s(w), c],
//          s(h) = floor(h * top_height / height), s(w) = floor(w * top_width / width).
//          Unfused: nearest up-sampling to [height, width]; pointwise_add.
//          gtop[n, i, j, c] = sum of gy over all (h, w) with s(h) = i, s(w) = j.
// Layout:  lateral, y [n, height, width, count]; top [n, top_height, top_width, count].
// Launch:  ComputeStream.launchRows; a work-group owns the row (n, h) of y forward, the row (n, i)
//          of gtop backward.
// Parameters: STORAGE, how all of them lie in memory.
// Numbers: float32, whole-number indices, fixed order. The gradient is gathered: written, not added
//          to; it is 0 where nothing was read.
// Source:  Lin et al. 2017, section 3.

#include "Common/Channels.clh"

ROW_KERNEL void resize_add_upsampled_forward(__global const stored *restrict lateral,
                                             __global const stored *restrict top,
                                             __global stored *restrict y, int height, int width,
                                             int top_height, int top_width, int count) {
  int image = (int)get_group_id(0) / height;
  int h = (int)get_group_id(0) - image * height;
  int i = (int)((long)h * top_height / height);
  size_t at = (size_t)get_group_id(0) * width * count;
  top += ((size_t)image * top_height + i) * top_width * count;
  for (int w = 0; w < width; w++, at += count) {
    __global const stored *source = top + (size_t)((long)w * top_width / width) * count;
    FOR_EACH_CHANNEL(c, count) {
      channels sum =
          load_stored(lateral + at + c, count - c, 0) + load_stored(source + c, count - c, 0);
      store_stored(sum, y + at + c, count - c);
    }
  }
}

// The least h with floor(h * top_size / size) >= i.
static inline int first_reader(int i, int top_size, int size) {
  return (int)(((long)i * size + top_size - 1) / top_size);
}

ROW_KERNEL void resize_add_upsampled_backward_gather(__global const stored *restrict gy,
                                                     __global stored *restrict gtop, int height,
                                                     int width, int top_height, int top_width,
                                                     int count) {
  int image = (int)get_group_id(0) / top_height;
  int i = (int)get_group_id(0) - image * top_height;
  int first_h = first_reader(i, top_height, height);
  int end_h = first_reader(i + 1, top_height, height);
  gy += (size_t)image * height * width * count;
  gtop += (size_t)get_group_id(0) * top_width * count;
  for (int j = 0; j < top_width; j++, gtop += count) {
    int first_w = first_reader(j, top_width, width);
    int end_w = first_reader(j + 1, top_width, width);
    FOR_EACH_CHANNEL(c, count) {
      channels sum = 0;
      for (int h = first_h; h < end_h; h++)
        for (int w = first_w; w < end_w; w++)
          sum += load_stored(gy + ((size_t)h * width + w) * count + c, count - c, 0);
      store_stored(sum, gtop + c, count - c);
    }
  }
}
