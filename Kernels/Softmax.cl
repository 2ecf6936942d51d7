// Softmax kernels.

#include "Common/Launch.clh"
