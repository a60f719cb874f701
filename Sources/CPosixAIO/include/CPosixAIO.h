// The parts of libc and the kernel that PosixAIO needs and Swift's Glibc module does not show:
// macros that are functions, calls that need _GNU_SOURCE, calls without a libc wrapper, and a
// signal handler that may only call async-signal-safe functions.
//
// Every function that can fail returns -1 and sets errno, as the call that it wraps.
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

/// Prepares a control block for one operation without a notification, at priority 0.
void caio_prepare(struct aiocb *_Nonnull control, int opcode, int fd, void *_Nullable memory,
                  size_t byteCount, int64_t offset);

/// After a failed submission: whether glibc took this operation all the same, and so owns its
/// memory. False means that nothing was started.
bool caio_was_accepted(const struct aiocb *_Nonnull control);

/// Sets the priority of a prepared control block, 0...AIO_PRIO_DELTA_MAX.
void caio_set_priority(struct aiocb *_Nonnull control, int priority);

/// AIO_PRIO_DELTA_MAX from sysconf(3): the largest priority that glibc accepts.
int caio_priority_limit(void);

/// IOV_MAX: the most pieces of a vectored operation.
int caio_iov_limit(void);

/// aio_init(3): the most helper threads of the process. No effect after its first operation.
void caio_set_thread_limit(int count);

/// lio_listio(LIO_NOWAIT) without a list event.
int caio_submit_silent_group(struct aiocb *_Nullable const *_Nonnull controls, int count);

/// aio_suspend(3). A negative time waits without a limit.
int caio_suspend(const struct aiocb *_Nullable const *_Nonnull controls, int count,
                 int64_t nanoseconds);

/// The number of forks between this process and the first ancestor that called this function. The
/// first call registers the pthread_atfork(3) handler that counts.
unsigned caio_fork_count(void);

/// Whether a parent process used AIO before fork(2). The child's copy of glibc's table names helper
/// threads that do not exist in the child, so nothing in it ever completes.
bool caio_is_forked_child(void);

/// lio_listio(LIO_NOWAIT) whose list event is the real-time signal `signo` with the value `value`.
int caio_submit_group(struct aiocb *_Nullable const *_Nonnull controls, int count, int signo,
                      uint64_t value);

// MARK: Who owns a signal (mailbox.c)

/// SIGRTMIN and SIGRTMAX, which glibc computes at run time.
int caio_sigrtmin(void);
int caio_sigrtmax(void);

/// Claims a real-time signal number for one queue of this process. Fails with EBUSY if the number
/// has an owner or another disposition than the default, or if a handler of the owner before the
/// last one has not returned yet; with EINVAL if it is not a real-time signal. Installs the
/// handler, which catches the signal on threads that do not block it and writes the signal's value
/// to `pipe_write_fd`. The claim owns that descriptor from now on.
int caio_signal_claim(int signo, int pipe_write_fd);

/// Releases a claimed number and discards its pending signals. Closes the write end of the pipe, at
/// the latest when a handler that runs on another thread returns.
///
/// With `keep_ignored`, operations that will send the signal stay in glibc: the signal is ignored,
/// and can be claimed again, until caio_signal_restore was called once for each such release.
/// Without it, no operation of the owner may send the signal any more.
void caio_signal_release(int signo, bool keep_ignored);

/// The last operation of a queue that was released with `keep_ignored` has ended. Restores the
/// default disposition, unless other queues have such operations, or the number has an owner, who
/// then does so. Any thread may call it. False if there is no such release left to undo.
bool caio_signal_restore(int signo);

/// The number of signals that the handler has caught on other threads since the claim.
uint64_t caio_signal_strays(int signo);

/// Whether the handler dropped a value because the pipe was full. The call resets the flag. Call it
/// after each read of the pipe, which is readable whenever the flag is set.
bool caio_signal_take_overflow(int signo);

// MARK: Signals (signals.c)

/// Blocks the signal in the calling thread, and stores there whether it was blocked before.
int caio_signal_block(int signo);

/// Unblocks the signal in the calling thread if caio_signal_block blocked it there.
void caio_signal_unblock(int signo);

/// signalfd(2), non-blocking and close-on-exec.
int caio_signalfd(int signo);

/// Reads up to `capacity` signals and stores the value of each, 0 for one that is not from AIO.
/// Returns the number of signals, 0 if there are none.
int caio_signalfd_read(int fd, uint64_t *_Nullable values, int capacity);

/// The value of a signal, from its 128 bytes as read from a signalfd; 0 if it is not from AIO.
uint64_t caio_signalfd_value(const void *_Nonnull record);

// MARK: Descriptors (descriptors.c)

/// pipe2(2), non-blocking and close-on-exec.
int caio_pipe(int *_Nonnull read_fd, int *_Nonnull write_fd);

/// timerfd_create(2) on the monotonic clock, non-blocking and close-on-exec.
int caio_timerfd(void);

/// timerfd_settime(2) with TFD_TIMER_ABSTIME: expires once, at a time of caio_now, or immediately
/// if that has passed.
int caio_timerfd_set(int fd, uint64_t time);

/// epoll_create1(2), close-on-exec.
int caio_epoll(void);

/// epoll_ctl(2): reports `fd` while it is readable, level-triggered, as the bit `source`.
int caio_epoll_add(int epoll_fd, int fd, uint32_t source);

/// epoll_wait(2) without waiting: the bits of up to three sources that are readable.
int caio_epoll_wait(int epoll_fd, uint32_t *_Nonnull sources);

/// O_DIRECT, which needs _GNU_SOURCE.
int caio_o_direct(void);

/// preadv2(2) with RWF_NOWAIT: reads from the page cache; EAGAIN if it has nothing.
ssize_t caio_read_cached(int fd, void *_Nullable memory, size_t byteCount, int64_t offset);

/// Whether the page cache has a part of a range of a file; also true if the kernel cannot say.
/// Wraps cachestat(2), which exists since Linux 6.5.
bool caio_may_be_cached(int fd, int64_t offset, size_t byteCount);

/// How many pages of a range of one byte or more are not in the page cache. None says nothing about
/// pages whose read is still under way. Wraps cachestat(2): -1 with ENOSYS before Linux 6.5, EPERM
/// if the caller neither owns the file nor may write to it, EOPNOTSUPP for some file systems.
int64_t caio_missing_pages(int fd, int64_t offset, int64_t byteCount);

/// Nanoseconds of the monotonic clock.
uint64_t caio_now(void);

// MARK: Names and space (names.c)

/// O_PATH and O_TMPFILE, which need _GNU_SOURCE.
int caio_o_path(void);
int caio_o_tmpfile(void);

/// openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: never leaves `directory_fd`.
int caio_open_beneath(int directory_fd, const char *_Nonnull path, int flags, mode_t mode);

/// The same for a path that the kernel has in memory, within the directory's own file system (Linux
/// 5.12, RESOLVE_CACHED and RESOLVE_NO_XDEV). Fails, with EAGAIN for example, instead of waiting.
int caio_open_cached(int directory_fd, const char *_Nonnull path, int flags);

/// Opens a regular file for reading, by any path that the kernel has in memory (Linux 5.12), if its
/// file system is one of those of caio_opens_in_memory. Fails instead of waiting, with an
/// unspecified errno. Needs /proc.
int caio_open_file_cached(const char *_Nonnull path);

/// Whether the file system opens and closes a file with a cached name without asking a disk or a
/// server: true for the local file systems that are known to do so. Wraps fstatfs(2).
bool caio_opens_in_memory(int fd);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST if the new name exists.
int caio_rename_exclusively(int directory_fd, const char *_Nonnull path, int new_directory_fd,
                                const char *_Nonnull new_path);

/// The effect of caio_allocate on a range.
enum caio_allocation {
    /// Reserves the space; the file grows if the range ends beyond it.
    CAIO_ALLOCATE_EXTENDING,
    /// Reserves the space; the file's size stays.
    CAIO_ALLOCATE_KEEPING_SIZE,
    /// Frees the space; the range reads as zeros, and the size stays.
    CAIO_ALLOCATE_HOLE,
    /// The range reads as zeros and keeps its space; the file grows if the range ends beyond it.
    CAIO_ALLOCATE_ZEROS,
};

/// fallocate(2).
int caio_allocate(int fd, enum caio_allocation kind, int64_t offset, int64_t byteCount);

/// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: starts writing back and does not wait.
int caio_start_write_back(int fd, int64_t offset, int64_t byteCount);

/// F_OFD_SETLK, or F_OFD_SETLKW if `waits`: a lock that belongs to the open file description.
/// `type` is F_RDLCK, F_WRLCK or F_UNLCK; a byteCount of 0 locks to the end of the file, however
/// far it moves.
int caio_lock(int fd, int type, bool waits, int64_t offset, int64_t byteCount);
