// BatchNorm kernels.

#include "Common/Launch.clh"
