// What a device can do at most: arithmetic without memory, memory without arithmetic.
//
// What:    y[w] = sum over c of x_c after `rounds` times x_c = factor * x_c + addend, from
//          x_c = c, for CHAINS independent chains c; y = x.
// Layout:  y[work-item * VECTOR + lane], all lanes equal; x[i], y[i] of the copy dense.
// Launch:  multiply-add: one work-item VECTOR results; groups of 1 on a CPU, of 256 elsewhere.
//          copy: ComputeStream.launchElements; see FOR_EACH_ELEMENT in Common/Launch.clh.
// Parameters: CHAINS  chains of a work-item, enough to hide the latency of a multiply-add
//             VECTOR  lanes of a chain: a CPU's vector, 1 elsewhere
// Numbers: float32, each multiply-add rounded once.

#include "Common/Launch.clh"

#ifndef CHAINS
#define CHAINS 12
#endif

#if DEVICE_IS_CPU
#define VECTOR 16
typedef float16 chain;
#define STORE(value, target) vstore16(value, get_global_id(0), target)
#else
#define VECTOR 1
typedef float chain;
#define STORE(value, target) (target)[get_global_id(0)] = value
#endif

// y = the sum of the chains
__kernel void roof_multiply_add_forward(__global float *restrict y, float factor, float addend,
                                        int rounds) {
  chain x[CHAINS];
  UNROLL for (int c = 0; c < CHAINS; c++) x[c] = (chain)(c);
  for (int round = 0; round < rounds; round++)
    UNROLL for (int c = 0; c < CHAINS; c++) x[c] =
        multiply_add(x[c], (chain)(factor), (chain)(addend));
  chain sum = (chain)(0);
  UNROLL for (int c = 0; c < CHAINS; c++) sum += x[c];
  STORE(sum, y);
}

// y = x
__kernel void roof_copy_forward(__global const float *restrict x, __global float *restrict y,
                                int count) {
  FOR_EACH_ELEMENT(i, count) y[i] = x[i];
}
