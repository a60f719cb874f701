// For preadv2 and RWF_NOWAIT.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "CReactor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int creactor_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

// linux/mman.h has it and its structs since 6.5, libc no function for it.
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct page_range {
    uint64_t offset;
    uint64_t byte_count;
};

struct page_counts {
    uint64_t cached;
    uint64_t dirty;
    uint64_t written_back;
    uint64_t evicted;
    uint64_t recently_evicted;
};

int64_t creactor_missing_pages(int file, int64_t offset, int64_t byte_count) {
    struct page_range range = {.offset = (uint64_t)offset, .byte_count = (uint64_t)byte_count};
    struct page_counts counts;
    if (syscall(SYS_cachestat, file, &range, &counts, 0) != 0)
        return -1;
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t pages = (offset + byte_count - 1) / page - offset / page + 1;
    return pages - (int64_t)counts.cached;
}

ssize_t creactor_read_cached(int file, void *memory, size_t byte_count, int64_t offset) {
    struct iovec piece = {.iov_base = memory, .iov_len = byte_count};
    return preadv2(file, &piece, 1, offset, RWF_NOWAIT);
}

int64_t creactor_file_size(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? status.st_size : -1;
}

static int is_pending(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

ssize_t creactor_send_file(int socket, int file, int64_t offset, size_t byte_count) {
    sigset_t broken_pipe, before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    int was_blocked = sigismember(&before, SIGPIPE) == 1;
    // Where it was not blocked, none was pending for this thread.
    int was_pending = was_blocked && is_pending();
    off_t place = offset;
    ssize_t sent = sendfile(socket, file, &place, byte_count);
    int reason = errno;
    // sendfile(2) cannot be told not to raise it, and does so, too, when the peer goes after a part
    // was sent: then it returns that part.
    const struct timespec at_once = {0};
    if (sent < (ssize_t)byte_count && !was_pending)
        while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    if (!was_blocked)
        pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
    errno = reason;
    return sent;
}
