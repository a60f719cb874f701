// The peers of the benchmarks: measured loops in C over preadv2, io_uring, libuv and plain POSIX
// AIO. Each function runs a whole measurement and gives back counts and nanoseconds, so that no
// header of a peer reaches Swift.
#pragma once
#include <stdbool.h>
#include <stdint.h>

/// The size of every read and write, in bytes.
enum { BENCH_BLOCK_SIZE = 4096 };

/// The size of an appended record, in bytes.
enum { BENCH_RECORD_SIZE = 128 };

typedef enum {
    /// preadv2(RWF_NOWAIT), or pread where the file is open for direct IO.
    BENCH_PLAIN_READ,
    BENCH_PLAIN_WRITE,
    /// `depth` records with pwrite, then one fdatasync for all of them.
    BENCH_PLAIN_APPEND,
    BENCH_URING_READ,
    BENCH_URING_WRITE,
    BENCH_URING_APPEND,
    BENCH_LIBUV_READ,
    BENCH_LIBUV_WRITE,
    BENCH_LIBUV_APPEND,
    /// aio_read, aio_error until it is done, aio_return, on one control block.
    BENCH_AIO_YIELD,
    /// The same, waiting in aio_suspend.
    BENCH_AIO_SUSPEND,
} bench_engine;

/// What to do.
typedef struct {
    /// Open files; request number n uses file n % fd_count.
    const int *_Nonnull fds;
    int fd_count;
    /// Requests at a time.
    int depth;
    /// Helper threads, for libuv.
    int threads;
    bool direct;
    /// Blocks in the file.
    int64_t block_count;
    /// Of the sequence of offsets.
    uint64_t seed;
    int64_t warm_up_nanoseconds;
    int64_t nanoseconds;
    /// The clock is read each time so many requests are done; a power of two.
    int64_t requests_per_look;
} bench_job;

/// What was done.
typedef struct {
    /// Requests that were completed in the time.
    int64_t count;
    int64_t nanoseconds;
    /// All requests, those before and after the measured time too.
    int64_t total;
    /// Requests that did not move what they should, or moved the wrong bytes.
    int64_t failed;
    /// Processor time of all threads, in user and kernel mode, for all requests.
    int64_t processor_nanoseconds;
} bench_sample;

/// Runs a peer's measurement in a forked process, so that no thread pool outlives it. Returns 0, or
/// an error number.
int bench_measure(bench_engine engine, const bench_job *_Nonnull job,
                  bench_sample *_Nonnull sample);

/// The same in this process, for what has to share it.
int bench_measure_here(bench_engine engine, const bench_job *_Nonnull job,
                       bench_sample *_Nonnull sample);

/// The size of an echoed message, in bytes.
enum { BENCH_MESSAGE_SIZE = 64 };

/// Connects to a port of 127.0.0.1. Returns the socket, or -1 and errno.
int bench_connect(int port);

/// A client of an echo server, which waits for each answer.
typedef struct bench_echo bench_echo;

/// Starts a thread that sends message after message on a connected socket, notes how long each one
/// took to come back, and in the end shuts its side down. At most `capacity` are noted. Returns
/// NULL and errno.
bench_echo *_Nullable bench_echo_start(int socket, int64_t warm_up_nanoseconds, int64_t nanoseconds,
                                       int64_t *_Nonnull latencies, int64_t capacity);

/// Waits for the thread's end. Returns 0, or the error number that ended it.
int bench_echo_finish(bench_echo *_Nonnull echo, int64_t *_Nonnull count);

/// Has the calling thread, and those that it starts, stay on the processor on which it is, or run
/// on any again. Returns 0, or -1 and errno.
int bench_stay_on_processor(bool stays);

/// The monotonic clock.
int64_t bench_now(void);

/// Processor time that this process has used in all its threads. Wraps getrusage(2).
int64_t bench_processor_time(void);

/// Raises the soft limit of open files to the hard one, and returns it.
int64_t bench_raise_open_file_limit(void);

/// What the C library has handed out of its heap, mmapped blocks included, in bytes. Wraps
/// mallinfo2(3).
int64_t bench_heap_bytes(void);

/// The two numbers of a device. Wrap major(3), which is a macro.
unsigned bench_major(uint64_t device);
unsigned bench_minor(uint64_t device);

/// Versions of what is measured: of the libraries that run, and of the package that is resolved.
const char *_Nonnull bench_liburing_version(void);
const char *_Nonnull bench_libuv_version(void);
const char *_Nonnull bench_libc_version(void);
const char *_Nonnull bench_libevent_version(void);
const char *_Nonnull bench_nio_version(void);

/// The next block of a seeded sequence of random ones.
static inline int64_t bench_next_block(uint64_t *_Nonnull state, int64_t block_count) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((*state >> 33) % (uint64_t)block_count);
}

/// The first eight bytes of a block, which tell it from every other: linear, so that the sum over
/// all blocks read can be had from the sum of their numbers.
static inline uint64_t bench_pattern(int64_t block) {
    return (uint64_t)block * 0x9E3779B97F4A7C15u;
}
