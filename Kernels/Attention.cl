// Attention kernels.

#include "Common/Launch.clh"
