#include "processor.h"

bool processor_has_avx512_bf16(void) {
#if defined(__x86_64__)
  // These ask the processor, and the system whether it saves the registers.
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}
