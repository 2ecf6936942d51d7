// Element-wise operators.
//
// What:    y = f(x) or y = f(a, b), element by element.
// Layout:  any dense layout; all operands of one call have the same number of elements.
// Launch:  ComputeStream.launchElements; see FOR_EACH_ELEMENT in Common/Launch.clh.
// Numbers: float32; gradients are written, not added to.

#include "Common/Launch.clh"

// y = a + b
__kernel void pointwise_add_forward(__global const float *restrict a,
                                    __global const float *restrict b, __global float *restrict y,
                                    int count) {
  FOR_EACH_ELEMENT(i, count) y[i] = a[i] + b[i];
}

// y = scale * x
__kernel void pointwise_scale_forward(__global const float *restrict x, __global float *restrict y,
                                      float scale, int count) {
  FOR_EACH_ELEMENT(i, count) y[i] = scale * x[i];
}
