// OpenCL 1.2 is the baseline: a call that is newer does not compile.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
