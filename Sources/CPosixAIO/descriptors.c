#define _GNU_SOURCE
#include "CPosixAIO.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int caio_pipe(int *read_fd, int *write_fd) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return -1;
    *read_fd = ends[0];
    *write_fd = ends[1];
    return 0;
}

int caio_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int caio_timerfd_set(int fd, uint64_t time) {
    const uint64_t per_second = 1000000000;
    // A zero would disarm.
    uint64_t nanoseconds = time == 0 ? 1 : time;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(nanoseconds / per_second),
                                           .tv_nsec = (long)(nanoseconds % per_second)}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int caio_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

int caio_epoll_add(int epoll_fd, int fd, uint32_t source) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = source}};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int caio_epoll_wait(int epoll_fd, uint32_t *sources) {
    enum { source_count = 3 };
    struct epoll_event events[source_count];
    // It does not wait, so no signal interrupts it.
    int count = epoll_wait(epoll_fd, events, source_count, 0);
    *sources = 0;
    for (int i = 0; i < count; ++i)
        *sources |= events[i].data.u32;
    return count;
}

int caio_o_direct(void) { return O_DIRECT; }

ssize_t caio_read_cached(int fd, void *memory, size_t byteCount, int64_t offset) {
    struct iovec piece = {.iov_base = memory, .iov_len = byteCount};
    return preadv2(fd, &piece, 1, offset, RWF_NOWAIT);
}

// linux/mman.h has these since 6.5.
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct cache_range {
    uint64_t offset;
    uint64_t length;
};

struct cache_state {
    uint64_t cached;
    uint64_t dirty;
    uint64_t written_back;
    uint64_t evicted;
    uint64_t recently_evicted;
};

bool caio_may_be_cached(int fd, int64_t offset, size_t byteCount) {
    struct cache_range range = {.offset = (uint64_t)offset, .length = byteCount};
    struct cache_state state;
    return syscall(SYS_cachestat, fd, &range, &state, 0) != 0 || state.cached > 0;
}

int64_t caio_missing_pages(int fd, int64_t offset, int64_t byteCount) {
    struct cache_range range = {.offset = (uint64_t)offset, .length = (uint64_t)byteCount};
    struct cache_state state;
    if (syscall(SYS_cachestat, fd, &range, &state, 0) != 0)
        return -1;
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t pages = (offset + byteCount - 1) / page - offset / page + 1;
    return pages - (int64_t)state.cached;
}

uint64_t caio_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}
