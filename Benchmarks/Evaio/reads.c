// Random reads of a file by libevaio, as many at a time as asked for: what `peers` measures as
// "ours", as a program in C writes it.
//
//     reads FILE DEPTH SECONDS
//
// Prints the processor time of a read in microseconds, and the reads per second. FILE is one that
// `peers` has made: the first eight bytes of a block tell it from the others.
#define _POSIX_C_SOURCE 200809L
#include "CPeers.h"

#include <evaio.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

// The clock is read each time so many reads are done, as in `peers`.
enum { READS_PER_LOOK = 64 };

static struct evaio_base *aio;
static struct evaio_file *file;
static int64_t block_count, until, total, counted_from, measured, elapsed, started, nanoseconds;
static uint64_t random_state = 1, sum, expected;
static int depth, is_running = 1;

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "reads: %s\n", what);
    exit(1);
}

static void look(void) {
    int64_t time = now(CLOCK_MONOTONIC);
    if (time < until) return;
    if (started == 0) {
        started = time;
        counted_from = total;
        until = time + nanoseconds;
    } else {
        measured = total - counted_from;
        elapsed = time - started;
        is_running = 0;
    }
}

static void got_block(ssize_t result, const struct evaio_error *error, void *memory);

static void read_next(void *memory) {
    int64_t block = bench_next_block(&random_state, block_count);
    expected += bench_pattern(block);
    evaio_read(file, memory, BENCH_BLOCK_SIZE, block * BENCH_BLOCK_SIZE, NULL, got_block, memory);
}

static void got_block(ssize_t result, const struct evaio_error *error, void *memory) {
    uint64_t word;
    (void)error;
    if (result != BENCH_BLOCK_SIZE) fail("a read failed");
    memcpy(&word, memory, sizeof word);
    sum += word;
    if ((++total & (READS_PER_LOOK - 1)) == 0 && is_running) look();
    if (is_running) read_next(memory);
}

static void opened(struct evaio_file *opened, const struct evaio_error *error, void *arg) {
    (void)error, (void)arg;
    file = opened;
}

int main(int count, char **arguments) {
    if (count != 4) fail("usage: reads FILE DEPTH SECONDS");
    struct event_base *base = event_base_new();
    if (base == NULL || (aio = evaio_base_new(base, NULL)) == NULL) fail("no base");
    struct stat status;
    if (stat(arguments[1], &status) != 0) fail("no file");
    block_count = status.st_size / BENCH_BLOCK_SIZE;
    depth = atoi(arguments[2]);
    nanoseconds = (int64_t)(atof(arguments[3]) * 1e9);
    evaio_open(aio, NULL, arguments[1], O_RDONLY, 0, opened, NULL);
    event_base_dispatch(base);
    if (file == NULL) fail("no file");
    char *memory;
    if (posix_memalign((void **)&memory, BENCH_BLOCK_SIZE, (size_t)depth * BENCH_BLOCK_SIZE) != 0)
        fail("no memory");
    int64_t used = now(CLOCK_PROCESS_CPUTIME_ID);
    until = now(CLOCK_MONOTONIC) + nanoseconds / 5;
    for (int i = 0; i < depth; i++) read_next(memory + (size_t)i * BENCH_BLOCK_SIZE);
    event_base_dispatch(base);
    used = now(CLOCK_PROCESS_CPUTIME_ID) - used;
    if (sum != expected) fail("wrong bytes");
    printf("%.4f %.0f\n", used / 1e3 / total, measured * 1e9 / elapsed);
    evaio_close(file, NULL, NULL);
    evaio_base_free(aio);
    event_base_free(base);
    free(memory);
    return 0;
}
