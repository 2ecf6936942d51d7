// Rows brought to unit length.
//
// What:    y[r,c] = x[r,c] / max(|x[r]|, epsilon), norms[r] = |x[r]|
//          with n = max(|x|, epsilon) and v = x / n:
//          gx[r,c] = 1 / n * (g[r,c] - v[c] * sum(v * g)); no sum where |x| <= epsilon
// Layout:  x, y, g, gx [rows, columns]; norms [rows].
// Launch:  one work-group a row (ComputeStream.launchRows).
// Numbers: float32, sums in a fixed order; a zero row stays zero. gx is written, not added to.
// Source:  torch.nn.functional.normalize.

#include "Common/Launch.clh"

// The part of sum(a * b) that falls to this work-item.
static inline float row_dot(__global const float *restrict a, __global const float *restrict b,
                            int columns) {
  float sum = 0.0f;
  int c = LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; c + 16 <= columns; c += 16)
    sums = multiply_add(vload16(0, a + c), vload16(0, b + c), sums);
  sum = sum_of_lanes(sums);
#endif
  for (; c < columns; c += LANES)
    sum = multiply_add(a[c], b[c], sum);
  return sum;
}

ROW_KERNEL void similarity_normalize_forward(__global const float *restrict x,
                                             __global float *restrict y,
                                             __global float *restrict norms, int columns,
                                             float epsilon) {
  ROW_SCRATCH
  int r = (int)get_group_id(0);
  __global const float *row = x + (size_t)r * columns;
  float norm = sqrt(group_add(row_dot(row, row, columns)));
  float factor = 1.0f / fmax(norm, epsilon);
  if (LANE == 0)
    norms[r] = norm;
  for (int c = LANE; c < columns; c += LANES)
    y[(size_t)r * columns + c] = factor * row[c];
}

ROW_KERNEL void similarity_normalize_backward(__global const float *restrict x,
                                              __global const float *restrict g,
                                              __global const float *restrict norms,
                                              __global float *restrict gx, int columns,
                                              float epsilon) {
  ROW_SCRATCH
  int r = (int)get_group_id(0);
  size_t start = (size_t)r * columns;
  float dot = group_add(row_dot(x + start, g + start, columns));
  float norm = norms[r];
  float inverse = 1.0f / fmax(norm, epsilon);
  float along = norm > epsilon ? dot * inverse * inverse : 0.0f;
  for (int c = LANE; c < columns; c += LANES)
    gx[start + c] = inverse * (g[start + c] - along * x[start + c]);
}
