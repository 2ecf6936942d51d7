// Optimizer kernels.

#include "Common/Launch.clh"
