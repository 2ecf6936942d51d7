// MatrixProductCPU kernels.

#include "Common/Launch.clh"
