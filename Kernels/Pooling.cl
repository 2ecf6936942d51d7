// Max pooling and global average pooling.
//
// What:    max: y[n, i, j, c] = max over (k, l) of x[n, i * stride - padding + k,
//          j * stride - padding + l, c], 0 <= k, l < size; outside counts as -inf.
//          average: y[n, c] = mean over p of x[n, p, c].
// Layout:  x [n, height, width, count], y [n, rows, columns, count]; place as y: k * size + l of
//          the element that was taken. Average: x [n, area, count], y [n, count].
// Launch:  max: ComputeStream.launchRows; a work-group owns the row (n, i) of y forward, the row
//          (n, h) of x backward. average: a work-group owns a slice of CHANNEL_STEP channels of one
//          n forward, one (n, p) backward.
// Parameters: STORAGE, how x, y and their gradients lie in memory; place is float.
// Numbers: float32, fixed order. Of equal values the first in row-major window order is taken; NaN
//          is larger than any number. Gradients are gathered: written, not added to.
// Source:  behaviour of PyTorch's max_pool2d with floor division.

#include "Common/Channels.clh"

// `place` may be null.
ROW_KERNEL void pooling_max_forward(__global const stored *restrict x, __global stored *restrict y,
                                    __global float *restrict place, int height, int width,
                                    int count, int rows, int columns, int size, int stride,
                                    int padding) {
  int image = (int)get_group_id(0) / rows;
  int i = (int)get_group_id(0) - image * rows;
  int top = i * stride - padding;
  x += (size_t)image * height * width * count;
  size_t out = (size_t)get_group_id(0) * columns * count;
  for (int j = 0; j < columns; j++, out += count) {
    int left = j * stride - padding;
    int first_k = max(0, -top), end_k = min(size, height - top);
    int first_l = max(0, -left), end_l = min(size, width - left);
    FOR_EACH_CHANNEL(c, count) {
      channels best = -INFINITY;
      channels where = (float)(first_k * size + first_l);
      for (int k = first_k; k < end_k; k++) {
        __global const stored *row = x + ((size_t)(top + k) * width + left) * count + c;
        for (int l = first_l; l < end_l; l++) {
          channels value = load_stored(row + (size_t)l * count, count - c, 0);
          channel_flags better = isgreater(value, best) | isnan(value);
          best = select(best, value, better);
          where = select(where, (channels)(float)(k * size + l), better);
        }
      }
      store_stored(best, y + out + c, count - c);
      if (place)
        store_channels(where, place + out + c, count - c);
    }
  }
}

ROW_KERNEL void pooling_max_backward_gather(__global const float *restrict place,
                                            __global const stored *restrict gy,
                                            __global stored *restrict gx, int height, int width,
                                            int count, int rows, int columns, int size, int stride,
                                            int padding) {
  int image = (int)get_group_id(0) / height;
  int h = (int)get_group_id(0) - image * height + padding;
  gx += (size_t)get_group_id(0) * width * count;
  size_t plane = (size_t)image * rows * columns * count;
  // The windows i with i * stride <= h < i * stride + size.
  int first_i = max(0, (h - size + stride) / stride), end_i = min(rows, h / stride + 1);
  for (int w = padding; w < width + padding; w++, gx += count) {
    int first_j = max(0, (w - size + stride) / stride), end_j = min(columns, w / stride + 1);
    FOR_EACH_CHANNEL(c, count) {
      channels sum = 0;
      for (int i = first_i; i < end_i; i++) {
        for (int j = first_j; j < end_j; j++) {
          size_t at = plane + ((size_t)i * columns + j) * count + c;
          channels here = (float)((h - i * stride) * size + (w - j * stride));
          channels gradient = load_stored(gy + at, count - c, 0);
          channel_flags taken = isequal(load_channels(place + at, count - c, -1), here);
          sum += select((channels)0, gradient, taken);
        }
      }
      store_stored(sum, gx + c, count - c);
    }
  }
}

ROW_KERNEL void pooling_average_forward(__global const stored *restrict x,
                                        __global stored *restrict y, int area, int count,
                                        int slices) {
  int image = (int)get_group_id(0) / slices;
  int c = ((int)get_group_id(0) - image * slices) * CHANNEL_STEP + LANE * CHANNEL_WIDTH;
  if (c < count) {
    x += (size_t)image * area * count + c;
    channels sum = 0;
    for (int p = 0; p < area; p++)
      sum += load_stored(x + (size_t)p * count, count - c, 0);
    store_stored(sum / (float)area, y + (size_t)image * count + c, count - c);
  }
}

ROW_KERNEL void pooling_average_backward(__global const stored *restrict gy,
                                         __global stored *restrict gx, int area, int count) {
  int image = (int)get_group_id(0) / area;
  gy += (size_t)image * count;
  gx += (size_t)get_group_id(0) * count;
  FOR_EACH_CHANNEL(c, count)
  store_stored(load_stored(gy + c, count - c, 0) / (float)area, gx + c, count - c);
}
