// ImageInput kernels.

#include "Common/Launch.clh"
