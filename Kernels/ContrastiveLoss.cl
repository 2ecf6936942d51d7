// ContrastiveLoss kernels.

#include "Common/Launch.clh"
