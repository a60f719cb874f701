#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t bench_processor_time(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000
           + (int64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

void meter_look(struct meter *m) {
    int64_t now = bench_now();
    if (now < m->until)
        return;
    if (m->started == 0) {
        m->started = now;
        m->counted_from = m->total;
        m->until = now + m->job->nanoseconds;
    } else {
        m->count = m->total - m->counted_from;
        m->nanoseconds = now - m->started;
        m->running = false;
    }
}

void meter_finish(struct meter *m, bench_sample *sample) {
    if (m->sum != m->expected)
        m->failed++;
    *sample = (bench_sample){.count = m->count,
                             .nanoseconds = m->nanoseconds,
                             .total = m->total,
                             .failed = m->failed,
                             .processor_nanoseconds =
                                 bench_processor_time() - m->processor_time};
}

void *bench_allocate(int64_t byte_count) {
    void *memory = NULL;
    if (posix_memalign(&memory, BENCH_BLOCK_SIZE, (size_t)byte_count) != 0)
        abort();
    memset(memory, 0, (size_t)byte_count);
    return memory;
}

static bench_run *const engines[] = {
    [BENCH_PLAIN_READ] = bench_plain_read,     [BENCH_PLAIN_WRITE] = bench_plain_write,
    [BENCH_PLAIN_APPEND] = bench_plain_append, [BENCH_URING_READ] = bench_uring_read,
    [BENCH_URING_WRITE] = bench_uring_write,   [BENCH_URING_APPEND] = bench_uring_append,
    [BENCH_LIBUV_READ] = bench_libuv_read,     [BENCH_LIBUV_WRITE] = bench_libuv_write,
    [BENCH_LIBUV_APPEND] = bench_libuv_append, [BENCH_AIO_YIELD] = bench_aio_yield,
    [BENCH_AIO_SUSPEND] = bench_aio_suspend,
};

int bench_measure_here(bench_engine engine, const bench_job *job, bench_sample *sample) {
    return engines[engine](job, sample);
}

struct answer {
    int error;
    bench_sample sample;
};

static _Noreturn void measure_in_child(bench_engine engine, const bench_job *job, int fd) {
    struct answer answer = {0};
    char threads[16];
    snprintf(threads, sizeof threads, "%d", job->threads);
    setenv("UV_THREADPOOL_SIZE", threads, 1);
    answer.error = engines[engine](job, &answer.sample);
    _exit(write(fd, &answer, sizeof answer) == sizeof answer ? 0 : 1);
}

int bench_measure(bench_engine engine, const bench_job *job, bench_sample *sample) {
    int ends[2];
    if (pipe(ends) != 0)
        return errno;
    pid_t child = fork();
    if (child == 0)
        measure_in_child(engine, job, ends[1]);
    int error = child < 0 ? errno : 0;
    close(ends[1]);
    struct answer answer = {0};
    if (child > 0) {
        if (read(ends[0], &answer, sizeof answer) != sizeof answer)
            error = ECHILD;
        waitpid(child, NULL, 0);
    }
    close(ends[0]);
    *sample = answer.sample;
    return error != 0 ? error : answer.error;
}
