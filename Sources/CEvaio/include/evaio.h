/*
 * evaio: file IO for servers on libevent.
 *
 * Every call that takes a callback starts work and returns at once. Its callback is called exactly
 * once, by the event base, never inside the call: with a result, or with an error if the work
 * failed, was cancelled, or was not even started. evaio(3) describes the library, and each call
 * below what is its own.
 *
 * All calls belong to the thread that runs the event base, except where a comment says otherwise.
 * NULL for a handle, a path or an evbuffer, a file or directory of another evaio base, or a call on
 * another thread is a bug of the caller: it ends the process with a sentence on standard error. A
 * handle that was closed or freed must not be used: that is not detected. Callbacks must not throw
 * C++ exceptions or longjmp(3).
 */
#ifndef EVAIO_H
#define EVAIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version --------------------------------------------------------------------------------- */

#define EVAIO_VERSION_MAJOR 0
#define EVAIO_VERSION_MINOR 1
#define EVAIO_VERSION_PATCH 0
#define EVAIO_VERSION "0.1.0"
/* As of libevent: one byte each for major, minor and patch, and a zero. */
#define EVAIO_VERSION_NUMBER \
  (EVAIO_VERSION_MAJOR << 24 | EVAIO_VERSION_MINOR << 16 | EVAIO_VERSION_PATCH << 8)

/* The version of the library that is running, for comparison with those of the header. Any
 * thread. */
const char *evaio_get_version(void);
uint32_t evaio_get_version_number(void);

/* ---- Types ----------------------------------------------------------------------------------- */

struct event_base;
struct evbuffer;
struct bufferevent;

/* The file IO of one event base, called an evaio base. */
struct evaio_base;
/* An open file. */
struct evaio_file;
/* An open directory. Paths relative to it cannot lead out of it. */
struct evaio_dir;

/* Names a request, to cancel it. Never reused within an evaio base; 0 names none. */
typedef uint64_t evaio_id;

/* Why an operation failed. It, and what it points to, is valid until the callback returns. */
struct evaio_error {
  int code;               /* an errno: EAGAIN over a limit, ECANCELED, ETIMEDOUT, ENOENT, ... */
  const char *operation;  /* "open", "read", "write", "sync", ... */
  const char *path;       /* that of the call or of its open file, without slashes that are repeated
                             or at the end; NULL if there is none */
  const char *other_path; /* the second path of an operation with two, otherwise NULL */
  int64_t offset;         /* where the operation began; -1 if it has no offset */
  size_t done;            /* the bytes that a failed write wrote. They are in the file. */
};

/* Writes one line, such as
 *   write "log" at 4096: No space left on device (512 bytes done)
 * and a NUL into `line`, cut at `size` bytes. Returns the length of the whole line without the NUL,
 * like snprintf(3). Any thread. */
int evaio_error_format(const struct evaio_error *error, char *line, size_t size);

/* `result` is the number of bytes, or 0 for operations without one. After an error it is -1;
 * otherwise `error` is NULL. */
typedef void (*evaio_cb)(ssize_t result, const struct evaio_error *error, void *arg);

/* `file` belongs to the callee, which closes it by evaio_close(). After an error it is NULL. */
typedef void (*evaio_open_cb)(
    struct evaio_file *file, const struct evaio_error *error, void *arg);
typedef void (*evaio_open_dir_cb)(
    struct evaio_dir *dir, const struct evaio_error *error, void *arg);

/* `data` belongs to the library. Move what you need to a buffer of yours, by evbuffer_add_buffer(),
 * which does not copy it. The rest is freed after the callback. After an error it is NULL. */
typedef void (*evaio_buffer_cb)(
    struct evbuffer *data, const struct evaio_error *error, void *arg);

/* `status` is valid until the callback returns. After an error it is NULL. */
typedef void (*evaio_stat_cb)(
    const struct stat *status, const struct evaio_error *error, void *arg);

struct evaio_entry {
  const char *name;
  struct stat status; /* the entry's own: a symbolic link is not followed */
};

/* `entries` are valid until the callback returns, and NULL after an error. */
typedef void (*evaio_list_cb)(
    const struct evaio_entry *entries, size_t count, const struct evaio_error *error, void *arg);

/* ---- Attaching to an event base -------------------------------------------------------------- */

/* The limits of an evaio base. Later versions add fields at the end. */
struct evaio_options {
  size_t size; /* of the structure that the program was compiled with; set by the init below */

  /* The most operations that the kernel's side (glibc) holds at a time: of all files, and of one.
   * Others wait. 256 and 64. */
  unsigned in_flight_limit;
  unsigned in_flight_limit_per_file;
  /* The most operations of one file that run at a time, each on a thread of glibc. 16. */
  unsigned lanes_per_file;
  /* The most pipes, sockets and terminals with a read in flight, and with a write. 4. */
  unsigned blocking_file_limit;
  /* The most threads that glibc starts for the process. Has an effect before its first operation
   * only. 28. */
  unsigned aio_thread_limit;
  /* The most requests that wait, and the most bytes in their buffers. Beyond it a call fails with
   * EAGAIN. 65 536, and 1 GiB. */
  unsigned waiting_limit;
  size_t held_byte_limit;
  /* The most helper threads for open(2) and the like, and as many again for evaio_offload(). 4. */
  unsigned offload_thread_limit;
  /* The most unfinished calls on them. Beyond it a call fails with EAGAIN. 65 536. */
  unsigned offload_limit;
  /* The most callbacks in one turn of the base: while no other events are added to it, and while
   * there are some. 64 and 16. */
  unsigned completions_per_turn;
  unsigned completions_per_shared_turn;
  /* The most reads in such a shared turn that the page cache may serve. 4. */
  unsigned cached_reads_per_shared_turn;
  /* The real-time signal to use, SIGRTMIN to SIGRTMAX; 0 takes a free one. 0. */
  int signal;
  /* How long evaio_base_free() waits for operations that cannot be cancelled. 1 second. */
  struct timeval grace_period;
};

/* Fills in the defaults, and the size. */
#define evaio_options_init(options) evaio_options_fill((options), sizeof *(options))
void evaio_options_fill(struct evaio_options *options, size_t size);

/* Attaches to an event base that the caller runs, and which outlives the evaio base. The calling
 * thread becomes the evaio base's: run the event base on it, or call
 * evaio_base_move_to_current_thread() on the one that does. While an operation is in progress,
 * event_base_dispatch() does not return for lack of events.
 *
 * One real-time signal without a handler is taken, and blocked in the calling thread until the end.
 *
 * `options` may be NULL. Returns NULL with errno: EINVAL for an option out of its range, E2BIG for
 * options of a later version, EBUSY if no real-time signal is free, or EMFILE and the like. The
 * base is unchanged then. */
struct evaio_base *evaio_base_new(
    struct event_base *event_base, const struct evaio_options *options);

/* Detaches. Operations in progress are cut: each callback is called with its result, or with
 * ECANCELED, before this returns; that takes up to the grace period. An operation that even then
 * cannot be stopped goes on in the background, in memory of the library.
 *
 * Inside a callback of this evaio base the end comes when that callback returns; inside any other
 * callback of the event base it comes at once. Callbacks that are called until then may use `aio`,
 * but not free or finish it once more. It is invalid afterwards; its files and directories are to
 * be closed all the same, before or after. Other calls on these then get ECANCELED before they
 * return. */
void evaio_base_free(struct evaio_base *aio);

/* Detaches when everything in progress has its own result, also what the callbacks start meanwhile,
 * and waits for that. Only sends, which the other side may hold up, get ECANCELED. Other events of
 * the base are not run meanwhile. Not inside a callback of this evaio base. */
void evaio_base_finish(struct evaio_base *aio);

/* The event base that it is attached to. */
struct event_base *evaio_base_get_event_base(struct evaio_base *aio);

/* Makes the calling thread the one that it belongs to. Call evaio_base_leave_current_thread() on
 * the former one first, which unblocks the signal there. */
void evaio_base_move_to_current_thread(struct evaio_base *aio);
void evaio_base_leave_current_thread(struct evaio_base *aio);

/* Cancels a request. Its callback is called with ECANCELED, in a later turn. An operation that runs
 * cannot be stopped: it goes on in memory of the library, and the effect of a write is unknown.
 *
 * Returns 0, or -1 with errno ENOENT if the request has its result already, or never existed. */
int evaio_cancel(struct evaio_base *aio, evaio_id id);

/* As evaio_cancel(), but leaves a read, write or sync alone that runs already: it gets its own
 * result, so that a write's effect is known. Returns -1 with errno EBUSY then. What takes several
 * steps, such as evaio_replace_file() or evaio_send(), is cancelled as by evaio_cancel(). */
int evaio_cancel_waiting(struct evaio_base *aio, evaio_id id);

/* ---- Files ----------------------------------------------------------------------------------- */

/* Paths are relative to `dir`, and do not lead out of it, by "..", as an absolute path, or by a
 * symbolic link: EXDEV. If `dir` is NULL, they are those of the process.
 *
 * `flags` are those of open(2); O_CLOEXEC is added. `mode` is used with O_CREAT, and reduced by the
 * umask. A file for O_RDONLY | O_NONBLOCK whose path the kernel has in memory is opened without a
 * thread. */
void evaio_open(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, int flags, mode_t mode,
    evaio_open_cb cb, void *arg);

/* Closes the file when its operations have ended, and frees the handle at once. `cb` may be NULL.
 * After the end of the evaio base the callback is called before this returns. An error says that
 * data of earlier writes may be lost; the file is closed all the same. */
void evaio_close(struct evaio_file *file, evaio_cb cb, void *arg);

void evaio_open_dir(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, evaio_open_dir_cb cb,
    void *arg);

/* Frees the handle at once. The directory is closed after its last call. */
void evaio_close_dir(struct evaio_dir *dir);

/* ---- Reading and writing ----------------------------------------------------------------------
 *
 * Offsets are in bytes, 0 or more. `timeout` is greater than 0; NULL is none. A request that takes
 * longer gets ETIMEDOUT; as with evaio_cancel(), an operation that runs then goes on.
 *
 * A call that is not accepted gets its error by the callback: EBADF and EINVAL for arguments out of
 * range, EAGAIN over a limit, ENOMEM, ECANCELED at the end of the evaio base, ENOTSUP in a forked
 * child. It has started nothing, and its ID is 0. */

/* Reads up to `size` bytes. The memory stays the caller's; it must stay valid until the callback,
 * and is not used after it. Fewer bytes are read at the end of the file, and none after it. */
evaio_id evaio_read(
    struct evaio_file *file, void *memory, size_t size, int64_t offset,
    const struct timeval *timeout, evaio_cb cb, void *arg);

/* As evaio_read(), into up to IOV_MAX pieces one after the other. `pieces` itself is copied. */
evaio_id evaio_readv(
    struct evaio_file *file, const struct iovec *pieces, int count, int64_t offset,
    const struct timeval *timeout, evaio_cb cb, void *arg);

/* As evaio_read(), but the callback gets the bytes in a buffer, without a copy. */
evaio_id evaio_read_buffer(
    struct evaio_file *file, size_t size, int64_t offset, const struct timeval *timeout,
    evaio_buffer_cb cb, void *arg);

/* Writes all bytes, or fails. They are copied: the memory is the caller's again when the call
 * returns. */
evaio_id evaio_write(
    struct evaio_file *file, const void *memory, size_t size, int64_t offset,
    const struct timeval *timeout, evaio_cb cb, void *arg);

/* As evaio_write(), of up to IOV_MAX pieces one after the other. */
evaio_id evaio_writev(
    struct evaio_file *file, const struct iovec *pieces, int count, int64_t offset,
    const struct timeval *timeout, evaio_cb cb, void *arg);

/* As evaio_write(), of a buffer's bytes, which move out of it when the call is made, also if it is
 * then refused; after EINVAL for the timeout, or for the buffer, they stay. If they are in one
 * piece, they are not copied; evbuffer_add_reference() makes that of any memory, and tells when it
 * is free again. After evaio_base_free() has cut a write that could not be stopped, that may happen
 * on another thread, so no other buffer may then refer to the bytes.
 *
 * EINVAL for a buffer that is frozen, or that has parts of files (evbuffer_add_file()) or of other
 * buffers (evbuffer_add_buffer_reference()). evaio_writev() with evbuffer_peek() copies the latter;
 * parts of files are to be read first. */
evaio_id evaio_write_buffer(
    struct evaio_file *file, struct evbuffer *data, int64_t offset, const struct timeval *timeout,
    evaio_cb cb, void *arg);

/* Write at the end of a file that was opened with O_APPEND, in the order of the calls. EINVAL for
 * another file. */
evaio_id evaio_append(
    struct evaio_file *file, const void *memory, size_t size, const struct timeval *timeout,
    evaio_cb cb, void *arg);
evaio_id evaio_append_buffer(
    struct evaio_file *file, struct evbuffer *data, const struct timeval *timeout, evaio_cb cb,
    void *arg);

/* Makes all writes durable that were made before the call: data and metadata (fsync(2)), or only
 * what reading the data needs (fdatasync(2)). It covers writes that are still in progress. After a
 * failed write or sync every sync of the file fails, until it is opened again. */
evaio_id evaio_sync(
    struct evaio_file *file, const struct timeval *timeout, evaio_cb cb, void *arg);
evaio_id evaio_datasync(
    struct evaio_file *file, const struct timeval *timeout, evaio_cb cb, void *arg);

/* ---- Metadata and names -----------------------------------------------------------------------
 *
 * These run on helper threads. They have no order with reads and writes in progress. */

/* fstat(2). */
void evaio_fstat(struct evaio_file *file, evaio_stat_cb cb, void *arg);
/* ftruncate(2). */
void evaio_truncate(struct evaio_file *file, int64_t size, evaio_cb cb, void *arg);
/* fallocate(2): `mode` is 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, or
 * FALLOC_FL_ZERO_RANGE; EINVAL for another one. */
void evaio_allocate(
    struct evaio_file *file, int mode, int64_t offset, int64_t size, evaio_cb cb, void *arg);

/* For all of these, see evaio_open() for `dir` and `path`. */

/* fstatat(2): `flags` is 0 or AT_SYMLINK_NOFOLLOW. */
void evaio_stat(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, int flags, evaio_stat_cb cb,
    void *arg);
/* renameat2(2): `flags` is 0 or RENAME_NOREPLACE. Both paths are relative to `dir`. The result is 1
 * if a file was replaced, otherwise 0. */
void evaio_rename(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, const char *new_path,
    unsigned flags, evaio_cb cb, void *arg);
/* unlinkat(2): `flags` is 0 or AT_REMOVEDIR. */
void evaio_unlink(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, int flags, evaio_cb cb,
    void *arg);
/* mkdirat(2). */
void evaio_mkdir(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, mode_t mode, evaio_cb cb,
    void *arg);
/* All entries but "." and "..", in no order. EOVERFLOW if there are more than `limit`, which is 1
 * or more; SIZE_MAX is no limit. */
void evaio_list(struct evaio_dir *dir, size_t limit, evaio_list_cb cb, void *arg);

/* ---- Whole files ----------------------------------------------------------------------------- */

/* Reads a regular file to its end, wherever that is by then. EFBIG for more than `limit` bytes;
 * SIZE_MAX is no limit. ENOMEM if there is no memory for as many. */
evaio_id evaio_read_file(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, size_t limit,
    evaio_buffer_cb cb, void *arg);

/* Replaces a file atomically and durably: afterwards the name has the old bytes or all new ones,
 * even after a power failure. `data` is as for evaio_write_buffer(). `mode` is that of the new
 * file; -1 keeps that of the old one. After an error the old file is unchanged, except if only the
 * sync of the directory failed. */
evaio_id evaio_replace_file(
    struct evaio_base *aio, struct evaio_dir *dir, const char *path, struct evbuffer *data,
    int mode, evaio_cb cb, void *arg);

/* ---- Sending -----------------------------------------------------------------------------------
 *
 * These send `size` bytes of a file, or fewer if the file ends before. What is in the page cache is
 * not copied: the kernel sends it from there (sendfile(2)). Everything else is read first, so that
 * the base does not wait for the disk. The other side sets the pace: no more than 256 KiB are in
 * memory for each. The result is the number of bytes that were sent, as is `done` of an error.
 *
 * If the other side is gone, or is freed, call evaio_cancel(), which leaves it alone at once. */

/* Sends to a connected, non-blocking socket. Keep it open, and write nothing else to it, until the
 * callback. */
evaio_id evaio_send(
    struct evaio_base *aio, struct evaio_file *file, int64_t offset, int64_t size, int socket,
    evaio_cb cb, void *arg);

/* Adds to the output of a bufferevent, after everything that is in it. Add nothing else until the
 * callback, which comes when the last byte is in the output, of which up to 256 KiB are still to be
 * sent then. An error of the connection is reported by the bufferevent only.
 *
 * The bufferevent has the same event base. Only one of a socket, as bufferevent_socket_new() makes
 * it, sends without a copy; the output of others, such as filters, pairs and TLS, gets copies. */
evaio_id evaio_send_bufferevent(
    struct evaio_base *aio, struct evaio_file *file, int64_t offset, int64_t size,
    struct bufferevent *bufferevent, evaio_cb cb, void *arg);

/* ---- Helper threads -------------------------------------------------------------------------- */

/* Calls `work` on a helper thread, and then `cb` on the base's. `work` runs with all signals
 * blocked. The error is EAGAIN over the limit, and `work` is not called; or ECANCELED at the end,
 * when `work` is not called, or is not waited for: what `arg` points to must then live
 * on until it returns. */
void evaio_offload(
    struct evaio_base *aio, void (*work)(void *arg), evaio_cb cb, void *arg);

/* ---- Statistics ------------------------------------------------------------------------------ */

struct evaio_statistics {
  uint64_t completed;          /* callbacks of reads, writes and syncs */
  uint64_t transferred_bytes;  /* read and written */
  uint64_t cache_hits;         /* reads that the page cache served, without a thread */
  uint64_t merged_writes;      /* writes that went with another's operation */
  uint64_t merged_syncs;       /* the same of syncs */
  uint64_t abandoned;          /* requests whose callback did not wait for the kernel */
  uint64_t sent_uncopied;      /* bytes of evaio_send() and the like that the kernel sent from the
                                  page cache, or libevent will */
  uint64_t sent_copied;        /* the others */
  uint64_t in_flight;          /* operations that glibc holds now */
  uint64_t waiting;            /* requests that wait now */
  uint64_t held_bytes;         /* in the buffers of unfinished requests now */
};

/* Later versions add fields at the end; those after `size` bytes are not written. */
#define evaio_get_statistics(aio, statistics) \
  evaio_statistics_fill((aio), (statistics), sizeof *(statistics))
void evaio_statistics_fill(
    struct evaio_base *aio, struct evaio_statistics *statistics, size_t size);

#ifdef __cplusplus
}
#endif

#endif
