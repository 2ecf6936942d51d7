// Cross entropy of every query against its own key, with duplicates left out.
//
// What:    a[r,c] = temperature * x[r,c]; -inf where c != r and groups[c] == groups[r]
//          b[r,m] = temperature * z[r,m]; -inf where queue_images[m] == images[r]
//          M[r] = largest a[r,c], b[r,m]; S[r] = sum over c of exp(a[r,c] - M[r]) + sum over m of
//          exp(b[r,m] - M[r])
//          loss[r] = k * (M[r] - a[r,r] + log(S[r]))
//          gx[r,c] = s * k * temperature * (exp(a[r,c] - M[r]) / S[r] - (c == r))
//          gz[r,m] = s * k * temperature * exp(b[r,m] - M[r]) / S[r]
// Layout:  x, gx [rows, rows] query by key; z, gz [rows, queue] query by queue entry;
//          groups, images int [rows]; queue_images int [queue]; MS [rows, 2] holds M and S;
//          loss [rows]; s: the loss's gradient, one element on the device.
// Launch:  one work-group a row (ComputeStream.launchRows).
// Numbers: float32, sums in a fixed order; masked columns get gradient 0; the diagonal is never
//          masked, so S is at least 1 for finite logits. M and S stay apart because
//          M + log(S) would round off the small gradients of rows that are nearly right. gx, gz are
//          written, not added to.
// Source:  spec method 1.9 and 1.10.

#include "Common/Launch.clh"

// One masked score: left out where ids[c] == id, except in column `kept`.
static inline float score(__global const float *restrict row, __global const int *restrict ids,
                          int id, int kept, float temperature, int c) {
  return ids[c] == id && c != kept ? -INFINITY : temperature * row[c];
}

#if DEVICE_IS_CPU
static inline float16 score16(__global const float *restrict row, __global const int *restrict ids,
                              int id, int kept, float temperature, int c) {
  int16 column = c + (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  int16 masked = (vload16(0, ids + c) == id) & (column != kept);
  return select(temperature * vload16(0, row + c), (float16)(-INFINITY), masked);
}
#endif

// This work-item's part of the largest score.
static inline float block_max(__global const float *restrict row, __global const int *restrict ids,
                              int id, int kept, float temperature, int columns) {
  float best = -INFINITY;
  int c = LANE;
#if DEVICE_IS_CPU
  float16 bests = -INFINITY;
  for (; c + 16 <= columns; c += 16)
    bests = fmax(bests, score16(row, ids, id, kept, temperature, c));
  best = max_of_lanes(bests);
#endif
  for (; c < columns; c += LANES)
    best = fmax(best, score(row, ids, id, kept, temperature, c));
  return best;
}

// This work-item's part of the sum of exp(score - shift).
static inline float block_exp_sum(__global const float *restrict row,
                                  __global const int *restrict ids, int id, int kept,
                                  float temperature, float shift, int columns) {
  float sum = 0.0f;
  int c = LANE;
#if DEVICE_IS_CPU
  float16 sums = 0.0f;
  for (; c + 16 <= columns; c += 16)
    sums += exp(score16(row, ids, id, kept, temperature, c) - shift);
  sum = sum_of_lanes(sums);
#endif
  for (; c < columns; c += LANES)
    sum += exp(score(row, ids, id, kept, temperature, c) - shift);
  return sum;
}

// target[c] = factor * exp(score - shift)
static inline void block_gradient(__global const float *restrict row,
                                  __global const int *restrict ids, __global float *restrict target,
                                  int id, int kept, float temperature, float shift, float factor,
                                  int columns) {
  int c = LANE;
#if DEVICE_IS_CPU
  for (; c + 16 <= columns; c += 16)
    vstore16(factor * exp(score16(row, ids, id, kept, temperature, c) - shift), 0, target + c);
#endif
  for (; c < columns; c += LANES)
    target[c] = factor * exp(score(row, ids, id, kept, temperature, c) - shift);
}

ROW_KERNEL void contrastive_loss_forward(
    __global const float *restrict x, __global const float *restrict z,
    __global const int *restrict groups, __global const int *restrict images,
    __global const int *restrict queue_images, __global float *restrict loss,
    __global float *restrict MS, int rows, int queue, float temperature, float k) {
  ROW_SCRATCH
  int r = (int)get_group_id(0);
  __global const float *keys = x + (size_t)r * rows;
  __global const float *entries = z + (size_t)r * queue;
  int group = groups[r], image = images[r];
  float best = fmax(block_max(keys, groups, group, r, temperature, rows),
                    block_max(entries, queue_images, image, -1, temperature, queue));
  best = group_max(best);
  // Not finite only for logits that are not; they must come out as such.
  float shift = isfinite(best) ? best : 0.0f;
  float sum = block_exp_sum(keys, groups, group, r, temperature, shift, rows) +
              block_exp_sum(entries, queue_images, image, -1, temperature, shift, queue);
  sum = group_add(sum);
  if (LANE == 0) {
    MS[2 * r] = shift;
    MS[2 * r + 1] = sum;
    loss[r] = k * (shift - temperature * keys[r] + log(sum));
  }
}

ROW_KERNEL void contrastive_loss_backward(
    __global const float *restrict x, __global const float *restrict z,
    __global const int *restrict groups, __global const int *restrict images,
    __global const int *restrict queue_images, __global const float *restrict MS,
    __global const float *restrict s, __global float *restrict gx, __global float *restrict gz,
    int rows, int queue, float temperature, float k) {
  int r = (int)get_group_id(0);
  size_t key_start = (size_t)r * rows, entry_start = (size_t)r * queue;
  float shift = MS[2 * r], factor = s[0] * k * temperature;
  float share = factor / MS[2 * r + 1];
  block_gradient(x + key_start, groups, gx + key_start, groups[r], r, temperature, shift, share,
                 rows);
  block_gradient(z + entry_start, queue_images, gz + entry_start, images[r], -1, temperature, shift,
                 share, queue);
  // The work-item that wrote the diagonal corrects it.
  if (r % LANES == LANE)
    gx[key_start + r] -= factor;
}
