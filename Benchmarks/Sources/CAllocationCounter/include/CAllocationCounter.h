// Counts what the process takes from the heap, in all threads. The functions of libc's heap are
// defined here, over libc's own, so whatever is linked with this target is counted, the libraries
// too.
#pragma once
#include <stdint.h>

/// Calls so far of malloc, calloc, realloc and the aligned ones; not those of free.
int64_t count_allocations(void);
