// What Reactor needs of C: of libevent, what is only to be had with the layout of its structs,
// which Swift is better off without; of libc, what Swift's Glibc does not show.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event;

/// Takes an event that is not added yet out of the count of what keeps a base running. libevent
/// does the same with the descriptors that wake it.
void creactor_leave_uncounted(struct event *_Nonnull event);

struct iovec;
struct sockaddr;

/// Takes a waiting client, with a socket that does not block and is closed on exec. Wraps
/// accept4(2), which Swift's Glibc does not show.
int creactor_accept(int socket, struct sockaddr *_Nonnull address, unsigned *_Nonnull byte_count);

/// Sends pieces one after the other, as much as the socket takes without waiting, and without
/// SIGPIPE. Wraps sendmsg(2).
ssize_t creactor_send(int socket, const struct iovec *_Nonnull pieces, size_t count);

/// The same, before more is sent at once: what does not fill a packet waits for that (MSG_MORE).
ssize_t creactor_send_before_more(int socket, const struct iovec *_Nonnull pieces, size_t count);

/// Sends bytes of a file from the page cache, without SIGPIPE, as much as a socket that does not
/// block takes. Waits for pages that are not there. Wraps sendfile(2).
ssize_t creactor_send_file(int socket, int file, int64_t offset, size_t byte_count);

/// How many pages of a range of one byte or more are not in the page cache: none says nothing about
/// pages whose read is still under way. Wraps cachestat(2), of Linux 6.5.
///
/// -1 with ENOSYS in older kernels, EPERM where the caller neither owns the file nor may write to
/// it, EOPNOTSUPP for some file systems.
int64_t creactor_missing_pages(int file, int64_t offset, int64_t byte_count);

/// Reads what is in the page cache, without waiting. Wraps preadv2(2) with RWF_NOWAIT.
ssize_t creactor_read_cached(int file, void *_Nonnull memory, size_t byte_count, int64_t offset);

/// A file's size by now, or -1. Wraps fstat(2).
int64_t creactor_file_size(int file);

/// The calling thread's number. Unlike a pthread_t, no other thread of the process ever gets it.
unsigned long creactor_thread_number(void);

/// eventfd(2), non-blocking and close-on-exec.
int creactor_eventfd(void);

/// O_PATH and O_TMPFILE, which need _GNU_SOURCE.
int creactor_o_path(void);
int creactor_o_tmpfile(void);

/// openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: never leaves `directory_fd`.
int creactor_open_beneath(int directory_fd, const char *_Nonnull path, int flags, mode_t mode);

/// The same for a path that the kernel has in memory, within the directory's own file system (Linux
/// 5.12, RESOLVE_CACHED and RESOLVE_NO_XDEV). Fails, with EAGAIN for example, instead of waiting.
int creactor_open_cached(int directory_fd, const char *_Nonnull path, int flags);

/// Whether the file system opens and closes a file with a cached name without asking a disk or a
/// server: true for the local file systems that are known to do so. Wraps fstatfs(2).
bool creactor_opens_in_memory(int fd);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST if the new name exists.
int creactor_rename_exclusively(int directory_fd, const char *_Nonnull path, int new_directory_fd,
                                const char *_Nonnull new_path);

/// The effect of creactor_allocate on a range.
enum creactor_allocation {
    /// Reserves the space; the file grows if the range ends beyond it.
    CREACTOR_ALLOCATE_EXTENDING,
    /// Reserves the space; the file's size stays.
    CREACTOR_ALLOCATE_KEEPING_SIZE,
    /// Frees the space; the range reads as zeros, and the size stays.
    CREACTOR_ALLOCATE_HOLE,
    /// The range reads as zeros and keeps its space; the file grows if the range ends beyond it.
    CREACTOR_ALLOCATE_ZEROS,
};

/// fallocate(2).
int creactor_allocate(int fd, enum creactor_allocation kind, int64_t offset, int64_t byteCount);

/// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: starts writing back and does not wait.
int creactor_start_write_back(int fd, int64_t offset, int64_t byteCount);

/// F_OFD_SETLK, or F_OFD_SETLKW if `waits`: a lock that belongs to the open file description.
/// `type` is F_RDLCK, F_WRLCK or F_UNLCK; a byteCount of 0 locks to the end of the file, however
/// far it moves.
int creactor_lock(int fd, int type, bool waits, int64_t offset, int64_t byteCount);
