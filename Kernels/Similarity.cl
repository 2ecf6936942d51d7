// Similarity kernels.

#include "Common/Launch.clh"
