// BoxCoding kernels.

#include "Common/Launch.clh"
