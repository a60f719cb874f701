// What tests need and Swift cannot ask for: a child by fork(2), a disk that is soon full, and the
// size of the heap.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// fork(2). The child calls `body` and ends by _exit(2) with what that returns; alarm(2) ends it
/// after `seconds` if it does not end itself.
pid_t cfaults_fork(int (*_Nonnull body)(void *_Nullable), void *_Nullable context,
                   unsigned seconds);

/// rt_tgsigqueueinfo(2): the signal with which glibc announces the end of operations, to the
/// calling thread alone. glibc sends it to the process, where any thread that does not block it may
/// take it.
int cfaults_announce(int signo, uint64_t value);

/// The root directory of a new tmpfs of this size, which is attached nowhere and goes with its last
/// open file. EPERM where mounting is not allowed.
int cfaults_small_disk(size_t byte_count);

/// mallinfo2(3): the bytes of the heap that are in use, over all arenas.
size_t cfaults_heap_byte_count(void);

/// mount_setattr(2): makes what cfaults_small_disk gave read-only.
int cfaults_make_read_only(int disk);
