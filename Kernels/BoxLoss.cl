// BoxLoss kernels.

#include "Common/Launch.clh"
