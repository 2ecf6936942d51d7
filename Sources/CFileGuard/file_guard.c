#define _GNU_SOURCE
#include "file_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { places = 1024 };

// A place is free while `taken` is 0; the handler looks at `start` alone, which is set last.
static struct {
  atomic_int taken;
  atomic_uintptr_t start;
  atomic_size_t length;
  atomic_int failed;
} guards[places];

static struct sigaction before;
static uintptr_t page_size;
static int is_ready;

// Calls nothing but mmap, which is a bare system call, so it may run anywhere.
static void handle(int signal, siginfo_t *info, void *context) {
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int number = 0; number < places; ++number) {
    uintptr_t start = atomic_load(&guards[number].start);
    size_t length = atomic_load(&guards[number].length);
    if (start == 0 || address < start || address - start >= length) continue;
    // All the rest, so that a reader meets one signal and not one for each page.
    uintptr_t page = address & ~(page_size - 1);
    void *zeros = mmap((void *)page, start + length - page, PROT_READ,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED) break;
    atomic_store(&guards[number].failed, 1);
    errno = saved;
    return;
  }
  errno = saved;
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else {
    // The same read fails again, and the system ends the program as it would have.
    sigaction(SIGBUS, &before, NULL);
  }
}

static void prepare(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  is_ready = sigaction(SIGBUS, &action, &before) == 0;
}

int file_guard_add(void *start, size_t length) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare);
  if (!is_ready) return -1;
  for (int number = 0; number < places; ++number) {
    int free_place = 0;
    if (!atomic_compare_exchange_strong(&guards[number].taken, &free_place, 1)) continue;
    atomic_store(&guards[number].failed, 0);
    atomic_store(&guards[number].length, length);
    atomic_store(&guards[number].start, (uintptr_t)start);
    return number;
  }
  return -1;
}

bool file_guard_failed(int number) { return atomic_load(&guards[number].failed) != 0; }

void file_guard_remove(int number) {
  atomic_store(&guards[number].start, 0);
  atomic_store(&guards[number].taken, 0);
}
