// The OpenCL C sources of the folder Kernels, embedded into the binary.
#pragma once
#include <stddef.h>

typedef struct {
  const char *path;           // relative to Kernels/, for example "Common/Types.clh"
  const unsigned char *bytes; // followed by a zero that `length` does not count
  size_t length;
} CKernelFile;

// The table of all files and its number of entries.
const CKernelFile *ckernels_files(size_t *count);
