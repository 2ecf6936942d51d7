// Resize kernels.

#include "Common/Launch.clh"
