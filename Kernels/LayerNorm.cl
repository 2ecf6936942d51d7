// LayerNorm kernels.

#include "Common/Launch.clh"
