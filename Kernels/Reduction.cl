// Reduction kernels.

#include "Common/Launch.clh"
