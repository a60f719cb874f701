// The clock and the books of one measurement. Every engine, ours included, keeps them the same way.
#pragma once
#include "CPeers.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct meter {
    const bench_job *job;
    bool running;
    int64_t total;
    int64_t failed;
    int64_t counted_from;
    int64_t started;
    int64_t until;
    int64_t count;
    int64_t nanoseconds;
    int64_t processor_time;
    uint64_t random;
    /// The sum of the first words read, and what it has to be.
    uint64_t sum;
    uint64_t expected;
    /// For sequential work.
    int64_t next;
};

static inline void meter_start(struct meter *m, const bench_job *job) {
    memset(m, 0, sizeof *m);
    m->job = job;
    m->random = job->seed;
    m->processor_time = bench_processor_time();
    m->until = bench_now() + job->warm_up_nanoseconds;
    m->running = true;
}

/// Reads the clock: ends the warm-up, or the measurement.
void meter_look(struct meter *m);

/// Counts one request out.
static inline void meter_done(struct meter *m) {
    if ((++m->total & (m->job->requests_per_look - 1)) == 0 && m->running)
        meter_look(m);
}

/// The block to read next.
static inline int64_t meter_random_block(struct meter *m) {
    int64_t block = bench_next_block(&m->random, m->job->block_count);
    m->expected += bench_pattern(block);
    return block;
}

static inline int64_t meter_sequential_block(struct meter *m) {
    return m->next++ % m->job->block_count;
}

static inline int meter_file(const struct meter *m, int64_t request) {
    return m->job->fd_count == 1 ? m->job->fds[0] : m->job->fds[request % m->job->fd_count];
}

/// Counts a read out that moved `result` bytes.
static inline void meter_read(struct meter *m, const void *memory, int64_t result) {
    uint64_t word;
    memcpy(&word, memory, sizeof word);
    m->sum += word;
    if (result != BENCH_BLOCK_SIZE)
        m->failed++;
    meter_done(m);
}

/// Counts a write out.
static inline void meter_written(struct meter *m, int64_t result, int64_t expected) {
    if (result != expected)
        m->failed++;
    meter_done(m);
}

/// Fills the first word of a block that is about to be written.
static inline void meter_fill(void *memory, int64_t block) {
    uint64_t word = bench_pattern(block);
    memcpy(memory, &word, sizeof word);
}

void meter_finish(struct meter *m, bench_sample *sample);

/// Page-aligned memory for all requests.
void *bench_allocate(int64_t byte_count);

/// Runs and returns 0 or an error number.
typedef int bench_run(const bench_job *job, bench_sample *sample);

bench_run bench_plain_read, bench_plain_write, bench_plain_append;
bench_run bench_uring_read, bench_uring_write, bench_uring_append;
bench_run bench_libuv_read, bench_libuv_write, bench_libuv_append;
bench_run bench_aio_yield, bench_aio_suspend;

const char *bench_liburing_file(void);
