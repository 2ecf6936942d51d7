// Look-up of table rows.
//
// What:    y[i, c] = table[indices[i], c];
//          gtable[v, c] = sum of gy[readers[k], c] over offsets[v] <= k < offsets[v + 1].
// Layout:  table [entries, count], y [rows, count]; readers lists the rows of y by table entry, in
//          rising order for one entry; offsets [entries + 1].
// Launch:  ComputeStream.launchRows; a work-group owns a row of y forward, of gtable backward.
// Parameters: STORAGE, how y and its gradient lie in memory; the table is float.
// Numbers: copies, rounded; the gradient is gathered in rising order: written, not added to, and 0 for
//          entries that nothing reads. Indices are checked by the host.

#include "Common/Channels.clh"

ROW_KERNEL void embedding_forward(__global const float *restrict table,
                                  __global const int *restrict indices,
                                  __global stored *restrict y,
                                  int count) {
  table += (size_t)indices[get_group_id(0)] * count;
  y += (size_t)get_group_id(0) * count;
  FOR_EACH_CHANNEL(c, count)
  store_stored(load_channels(table + c, count - c, 0), y + c, count - c);
}

ROW_KERNEL void embedding_backward_gather(__global const int *restrict offsets,
                                          __global const int *restrict readers,
                                          __global const stored *restrict gy,
                                          __global float *restrict gtable, int count) {
  int first = offsets[get_group_id(0)], end = offsets[get_group_id(0) + 1];
  gtable += (size_t)get_group_id(0) * count;
  FOR_EACH_CHANNEL(c, count) {
    channels sum = 0;
    for (int k = first; k < end; k++)
      sum += load_stored(gy + (size_t)readers[k] * count + c, count - c, 0);
    store_channels(sum, gtable + c, count - c);
  }
}
