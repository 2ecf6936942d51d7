/// Reading a mapped file that another program makes shorter.
///
/// Behind the new end of such a file the system answers a read with SIGBUS, which ends the program. Here
/// the rest of a guarded mapping becomes zeros instead and is marked, so that its reader can say what
/// happened. Signals of other addresses go where they went before.
#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Guards a mapping of whole pages from its first byte on.
///
/// Returns its number, or -1 when too many are guarded or the handler cannot be set.
int file_guard_add(void *start, size_t length);

/// Whether a read of the mapping failed.
bool file_guard_failed(int number);

/// Ends the guard; to be called before the mapping is taken away.
void file_guard_remove(int number);
