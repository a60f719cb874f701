#define _GNU_SOURCE
#include "CPosixAIO.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

int caio_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int caio_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int caio_timerfd_set(int fd, int64_t nanoseconds) {
    const int64_t per_second = 1000000000;
    struct itimerspec when = {
        .it_value = {.tv_sec = nanoseconds / per_second, .tv_nsec = nanoseconds % per_second}};
    return timerfd_settime(fd, 0, &when, NULL);
}

int caio_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

int caio_epoll_add(int epoll_fd, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int caio_o_path(void) { return O_PATH; }

int caio_o_direct(void) { return O_DIRECT; }

ssize_t caio_read_cached(int fd, void *memory, size_t byteCount, int64_t offset) {
    struct iovec piece = {.iov_base = memory, .iov_len = byteCount};
    return preadv2(fd, &piece, 1, offset, RWF_NOWAIT);
}

uint64_t caio_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int caio_open_beneath(int directory_fd, const char *path, int flags, mode_t mode) {
    struct open_how how = {
            // openat2 refuses what openat ignores: a mode without a reason for it.
        .flags = (uint64_t)(unsigned int)flags,
        .mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
}
