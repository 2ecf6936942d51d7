// Rows picked, added up, joined, cut out and turned.
//
// What:    combine:   y[i,c] = sum over j in offsets[i]..<offsets[i+1] of w[j] * x[indices[j],c]
//          gather:    y[i,c] = x[indices[i],c], or 0 where the index is no row of x
//          copy:      y[i,y_column+c] = x[i,x_column+c]
//          transpose: y[c,r] = x[r,c]
//          fit:       y[i,c] = x[i,c], or 0 outside of x
// Layout:  matrices are row-major with the given width; `offsets` has one entry more than y has
//          rows; `w` is null for weights of 1 (has_weights 0).
// Launch:  combine, gather, copy: a work-group (ComputeStream.launchRows) owns rows_per_group rows,
//          in copies of long rows one of `parts` parts of them; transpose, fit:
//          ComputeStream.launchElements.
// Parameters: STORAGE, how x and y lie in memory.
// Numbers: combine is float32 and adds in the order of the list; the others move words as they are.
//          Outputs are written, not added to; an empty list gives a zero row. The gradient of combine
//          is combine with the transposed lists, that of copy is copy.

#include "Common/Launch.clh"
#include "Common/Storage.clh"

// An element that is moved, not computed with.
#if STORAGE == STORAGE_FLOAT32
typedef int word;
#else
typedef ushort word;
#endif

ROW_KERNEL void indexing_combine_forward(__global const stored *restrict x,
                                         __global const int *restrict offsets,
                                         __global const int *restrict indices,
                                         __global const float *restrict w,
                                         __global stored *restrict y, int rows, int width,
                                         int rows_per_group, int has_weights) {
  int first = (int)get_group_id(0) * rows_per_group;
  int last = min(first + rows_per_group, rows);
  for (int i = first; i < last; i++) {
    int begin = offsets[i], end = offsets[i + 1];
    __global stored *target = y + (size_t)i * width;
    int c = LANE;
#if DEVICE_IS_CPU && STORAGE == STORAGE_FLOAT32
    for (; c + 16 <= width; c += 16) {
      float16 sum = 0.0f;
      for (int j = begin; j < end; j++) {
        float16 value = vload16(0, x + (size_t)indices[j] * width + c);
        sum += has_weights ? w[j] * value : value;
      }
      vstore16(sum, 0, target + c);
    }
#endif
    for (; c < width; c += LANES) {
      float sum = 0.0f;
      for (int j = begin; j < end; j++) {
        float value = load_element(x + (size_t)indices[j] * width + c);
        sum += has_weights ? w[j] * value : value;
      }
      store_element(sum, target + c);
    }
  }
}

ROW_KERNEL void indexing_gather_forward(__global const word *restrict x,
                                        __global const int *restrict indices,
                                        __global word *restrict y, int rows, int width,
                                        int rows_per_group, int source_rows) {
  int first = (int)get_group_id(0) * rows_per_group;
  int last = min(first + rows_per_group, rows);
  for (int i = first; i < last; i++) {
    int index = indices[i];
    int present = index >= 0 && index < source_rows;
    __global const word *source = x + (present ? (size_t)index * width : (size_t)0);
    __global word *target = y + (size_t)i * width;
    if (present)
      for (int c = LANE; c < width; c += LANES)
        target[c] = source[c];
    else
      for (int c = LANE; c < width; c += LANES)
        target[c] = 0;
  }
}

ROW_KERNEL void indexing_copy_forward(__global const word *restrict x, __global word *restrict y,
                                      int rows, int width, int rows_per_group, int parts,
                                      int x_width, int x_column, int y_width, int y_column) {
  int first = (int)get_group_id(0) / parts * rows_per_group;
  int last = min(first + rows_per_group, rows);
  int part = (width + parts - 1) / parts;
  int begin = (int)get_group_id(0) % parts * part, end = min(begin + part, width);
  for (int i = first; i < last; i++) {
    __global const word *source = x + (size_t)i * x_width + x_column;
    __global word *target = y + (size_t)i * y_width + y_column;
    for (int c = begin + LANE; c < end; c += LANES)
      target[c] = source[c];
  }
}

__kernel void indexing_transpose_forward(__global const word *restrict x, __global word *restrict y,
                                         int rows, int columns, int count) {
  FOR_EACH_ELEMENT(i, count) {
    int c = i / rows;
    int r = i - c * rows;
    y[i] = x[(size_t)r * columns + c];
  }
}

__kernel void indexing_fit_forward(__global const word *restrict x, __global word *restrict y,
                                   int rows, int width, int y_width, int count) {
  FOR_EACH_ELEMENT(i, count) {
    int row = i / y_width, c = i - row * y_width;
    y[i] = row < rows && c < width ? x[(size_t)row * width + c] : 0;
  }
}
