// CrossEntropy kernels.

#include "Common/Launch.clh"
