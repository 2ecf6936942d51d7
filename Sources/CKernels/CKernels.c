#include "CKernels.h"

// One line per file of Kernels/; a test compares this table with the folder.
static const unsigned char types_clh[] = {
#embed "../../Kernels/Common/Types.clh" suffix(, 0)
};

#define ENTRY(path, name) {path, name, sizeof(name) - 1}

static const CKernelFile files[] = {
    ENTRY("Common/Types.clh", types_clh),
};

const CKernelFile *ckernels_files(size_t *count) {
  *count = sizeof(files) / sizeof(files[0]);
  return files;
}
