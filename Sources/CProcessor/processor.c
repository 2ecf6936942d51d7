#define _GNU_SOURCE
#include "processor.h"

#if defined(__linux__)
#include <errno.h>
#include <sched.h>
#include <unistd.h>
#endif

bool processor_has_avx512_bf16(void) {
#if defined(__x86_64__)
  // These ask the processor, and the system whether it saves the registers.
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

int processor_usable_cores(void) {
  int count = 0;
#if defined(__linux__)
  // The system refuses a set that is smaller than its own.
  for (int cores = CPU_SETSIZE; cores <= 1 << 20; cores *= 2) {
    cpu_set_t *set = CPU_ALLOC(cores);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(cores);
    CPU_ZERO_S(size, set);
    // The first thread's: a driver may bind those that it makes.
    const bool is_known = sched_getaffinity(getpid(), size, set) == 0;
    const bool is_too_small = !is_known && errno == EINVAL;
    if (is_known) count = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (!is_too_small) break;
  }
#endif
  return count;
}
