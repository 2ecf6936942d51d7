// What the libraries of this folder share that stand before the OpenCL loader.
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Declares `next`: the function of the same name that this one stands before.
#define NEXT(name)                                                                                 \
  static __typeof__(&name) next;                                                                   \
  if (!next)                                                                                       \
  next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
