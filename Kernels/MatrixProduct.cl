// MatrixProduct kernels.

#include "Common/Launch.clh"
