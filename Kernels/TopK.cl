// TopK kernels.

#include "Common/Launch.clh"
