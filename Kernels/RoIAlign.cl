// RoIAlign kernels.

#include "Common/Launch.clh"
