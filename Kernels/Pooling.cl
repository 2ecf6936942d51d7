// Pooling kernels.

#include "Common/Launch.clh"
