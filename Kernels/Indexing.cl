// Indexing kernels.

#include "Common/Launch.clh"
