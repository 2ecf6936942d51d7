// Embedding kernels.

#include "Common/Launch.clh"
