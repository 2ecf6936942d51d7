// NMS kernels.

#include "Common/Launch.clh"
