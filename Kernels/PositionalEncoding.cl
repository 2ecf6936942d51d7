// PositionalEncoding kernels.

#include "Common/Launch.clh"
