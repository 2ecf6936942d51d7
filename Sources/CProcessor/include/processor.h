/// What the processor that runs this program can do.
#pragma once
#include <stdbool.h>

/// Whether it has AVX512_BF16 with 512-bit registers and the system lets programs use them.
bool processor_has_avx512_bf16(void);

/// How many cores the system lets this process run on, as it was bound; 0 where it does not say.
int processor_usable_cores(void);
