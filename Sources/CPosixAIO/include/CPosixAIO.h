// What PosixAIO needs of libc and the kernel, and Swift's Glibc module does not show: macros that
// are functions, calls behind _GNU_SOURCE, calls without a libc wrapper, and a signal handler that
// may only do what is async-signal-safe.
//
// Every function that can fail returns -1 and sets errno, as the call it wraps does.
#pragma once
// features.h first and never _GNU_SOURCE here: a header that defines it makes a second fd_set,
// which clashes with Swift's Glibc module. It also says whether libc is glibc.
#ifdef __linux__
#include <features.h>
#endif
#ifndef __GLIBC__
#error "swift-aio needs Linux with glibc: it is built on glibc's POSIX AIO and on signalfd(2)."
#endif

#include <aio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: Control blocks (aio.c)

/// Makes a control block ready for one operation that notifies nobody, at priority 0.
void caio_prepare(struct aiocb *_Nonnull control, int opcode, int fd, void *_Nullable memory,
                  size_t byteCount, int64_t offset);

/// After a submission has failed: whether glibc took this operation all the same, so that it owns
/// the memory now. False means that nothing was started.
bool caio_was_taken(const struct aiocb *_Nonnull control);

/// As caio_prepare, with a priority of 0...AIO_PRIO_DELTA_MAX.
void caio_set_priority(struct aiocb *_Nonnull control, int priority);

/// AIO_PRIO_DELTA_MAX, asked by sysconf(3): the largest priority that glibc takes.
int caio_priority_limit(void);

/// IOV_MAX: the most pieces of a vectored operation.
int caio_iov_limit(void);

/// aio_init(3): the most helper threads of the process. Without effect after its first operation.
void caio_set_helper_limit(int count);

/// lio_listio(LIO_NOWAIT) without a list event.
int caio_submit_silent_group(struct aiocb *_Nullable const *_Nonnull controls, int count);

/// aio_suspend(3). A negative time waits for ever.
int caio_suspend(const struct aiocb *_Nullable const *_Nonnull controls, int count,
                 int64_t nanoseconds);

/// Whether this process is the child of one that had used AIO before fork(2). Its copy of glibc's
/// table names helper threads that do not exist here, so nothing in it ever completes.
bool caio_is_forked_child(void);

/// lio_listio(LIO_NOWAIT) whose list event is the real-time signal `signo` with `ticket` as value.
int caio_submit_group(struct aiocb *_Nullable const *_Nonnull controls, int count, int signo,
                      uint64_t ticket);

// MARK: Who owns a signal (mailbox.c)

/// SIGRTMIN and SIGRTMAX, which glibc computes at run time.
int caio_sigrtmin(void);
int caio_sigrtmax(void);

/// Takes a real-time signal number for one queue of this process: EBUSY when it has an owner, or a
/// disposition of somebody else's, or when a handler of the owner before the last one has not
/// returned yet; EINVAL when it is not a real-time signal. Installs the handler that catches the
/// signal on threads that do not block it; it writes the signal's value to `pipe_write_fd`. From
/// here on the signal owns that descriptor.
int caio_signal_claim(int signo, int pipe_write_fd);

/// Gives a claimed number back and discards what is still pending of it. Closes the write end of
/// the pipe, at the latest when a handler that just runs elsewhere returns.
///
/// With `keep_ignored`, operations that will send the signal are left in glibc: it is ignored, and
/// may be claimed again, until caio_signal_restore was called once for each such release. Without,
/// nothing may send it any more on the owner's account.
void caio_signal_release(int signo, bool keep_ignored);

/// The last operation of a queue that was released with `keep_ignored` has ended. Puts the default
/// disposition back, unless others are left, or the number has an owner, who then does. Any thread.
/// False if no such release is left to be undone.
bool caio_signal_restore(int signo);

/// How many signals the handler has caught on other threads since the claim.
uint64_t caio_signal_strays(int signo);

/// Whether the handler had to drop a value because the pipe was full; asking resets it. To be asked
/// after each reading of the pipe, which is readable whenever the flag is set.
bool caio_signal_take_overflow(int signo);

// MARK: Signals (signals.c)

/// Blocks the signal in the calling thread, and notes there whether it was blocked before.
int caio_signal_block(int signo);

/// Unblocks the signal in the calling thread if it was caio_signal_block that blocked it there.
void caio_signal_unblock(int signo);

/// signalfd(2), non-blocking and close-on-exec.
int caio_signalfd(int signo);

/// Reads up to `capacity` signals and stores the value of each, 0 for one that is not from AIO.
/// Returns the number read, 0 when there is none.
int caio_signalfd_read(int fd, uint64_t *_Nullable tickets, int capacity);

// MARK: Descriptors (descriptors.c)

/// pipe2(2), non-blocking and close-on-exec.
int caio_pipe(int *_Nonnull read_fd, int *_Nonnull write_fd);

/// eventfd(2), non-blocking and close-on-exec.
int caio_eventfd(void);

/// timerfd_create(2) on the monotonic clock, non-blocking and close-on-exec.
int caio_timerfd(void);

/// timerfd_settime(2) with TFD_TIMER_ABSTIME: once, at a time of caio_now; at once if that has
/// passed.
int caio_timerfd_set(int fd, uint64_t time);

/// epoll_create1(2), close-on-exec.
int caio_epoll(void);

/// epoll_ctl(2): reports when `fd` is readable, level-triggered, as the bit `source`.
int caio_epoll_add(int epoll_fd, int fd, uint32_t source);

/// epoll_wait(2) without waiting: the bits of up to three sources that are readable.
int caio_epoll_wait(int epoll_fd, uint32_t *_Nonnull sources);

/// O_PATH and O_DIRECT, which need _GNU_SOURCE.
int caio_o_path(void);
int caio_o_direct(void);

/// preadv2(2) with RWF_NOWAIT: what is in the page cache, EAGAIN where nothing is.
ssize_t caio_read_cached(int fd, void *_Nullable memory, size_t byteCount, int64_t offset);

/// Whether the page cache has something of a part of a file; true too where the kernel does not
/// say. Wraps cachestat(2), which is there since Linux 6.5.
bool caio_may_be_cached(int fd, int64_t offset, size_t byteCount);

/// Nanoseconds of the monotonic clock.
uint64_t caio_now(void);

/// openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: never leaves `directory_fd`.
int caio_open_beneath(int directory_fd, const char *_Nonnull path, int flags, mode_t mode);

/// The same for names that the kernel has in memory, on the directory's own file system (Linux
/// 5.12, RESOLVE_CACHED and RESOLVE_NO_XDEV): fails, with EAGAIN for one, where it would have to
/// wait.
int caio_open_cached(int directory_fd, const char *_Nonnull path, int flags);

/// Whether a file whose name is in memory opens and closes without a disk or a server being asked:
/// true for the local file systems that are known to do so. Wraps fstatfs(2).
bool caio_opens_in_memory(int fd);

// MARK: Names, space and locks of files (files.c)

/// O_TMPFILE, which needs _GNU_SOURCE.
int caio_o_tmpfile(void);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST where the new name stands for something.
int caio_rename_exclusively(int directory_fd, const char *_Nonnull path, int new_directory_fd,
                            const char *_Nonnull new_path);

/// What caio_allocate does with a range.
enum caio_allocation {
    /// Reserves the space; the file grows if the range ends behind it.
    CAIO_ALLOCATE_EXTENDING,
    /// Reserves the space; the file's size stays.
    CAIO_ALLOCATE_KEEPING_SIZE,
    /// Gives the space back; the range reads as zeros, and the size stays.
    CAIO_ALLOCATE_HOLE,
    /// The range reads as zeros and keeps its space; the file grows if it ends behind it.
    CAIO_ALLOCATE_ZEROS,
};

/// fallocate(2).
int caio_allocate(int fd, enum caio_allocation kind, int64_t offset, int64_t byteCount);

/// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: starts to write, and waits for nothing.
int caio_start_write_back(int fd, int64_t offset, int64_t byteCount);

/// F_OFD_SETLK, or F_OFD_SETLKW if it is to wait: a lock that belongs to the open file. `type` is
/// F_RDLCK, F_WRLCK or F_UNLCK; a byteCount of 0 reaches to the end, however far that moves.
int caio_lock(int fd, int type, bool waits, int64_t offset, int64_t byteCount);
