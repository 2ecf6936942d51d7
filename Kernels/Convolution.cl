// Convolution kernels.

#include "Common/Launch.clh"
