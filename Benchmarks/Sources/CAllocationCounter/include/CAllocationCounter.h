// Counts what the process takes from the heap, in all threads. The functions of libc's heap are
// defined here, over libc's own, so whatever is linked with this target is counted, the libraries
// too.
//
// As a library of its own this is preloaded (LD_PRELOAD) into a program that is built elsewhere.
// Where the environment names a file in ALLOCATION_COUNT_FILE, the count is kept in its first eight
// bytes, for another process to read.
#pragma once
#include <stdint.h>

/// Calls so far of malloc, calloc, realloc and the aligned ones; not those of free.
int64_t count_allocations(void);
