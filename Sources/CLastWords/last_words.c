#include "last_words.h"

#include <signal.h>
#include <unistd.h>

static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
enum { count = sizeof signals / sizeof *signals };

static struct sigaction before[count];
static int words = -1;
static int terminal = -1;

// Calls nothing but what POSIX allows in a handler.
static void handle(int number, siginfo_t *information, void *context) {
  (void)information;
  (void)context;
  char bytes[4096];
  off_t offset = 0;
  ssize_t length;
  while ((length = pread(words, bytes, sizeof bytes, offset)) > 0) {
    if (write(terminal, bytes, (size_t)length) != length) break;
    offset += length;
  }
  // Standard error is lent; who answers the signal next may have something to say.
  dup2(terminal, 2);
  last_words_end();
  // An abort or a bad read happens again by itself; what was sent from outside does not.
  raise(number);
}

void last_words_begin(int words_, int terminal_) {
  words = words_;
  terminal = terminal_;
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  for (int index = 0; index < count; ++index) {
    sigaction(signals[index], &action, &before[index]);
  }
}

void last_words_end(void) {
  for (int index = 0; index < count; ++index) sigaction(signals[index], &before[index], NULL);
}
