// The kernel's own calls in a loop: what one thread can reach at most, and never waits for.
#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

int bench_plain_read(const bench_job *job, bench_sample *sample) {
    struct meter m;
    // As many buffers as the others have: a single one would stay in the processor's first cache.
    char *buffers = bench_allocate((int64_t)job->depth * BENCH_BLOCK_SIZE);
    meter_start(&m, job);
    for (int64_t request = 0; m.running; request++) {
        char *memory = buffers + request % job->depth * BENCH_BLOCK_SIZE;
        struct iovec piece = {.iov_base = memory, .iov_len = BENCH_BLOCK_SIZE};
        int fd = meter_file(&m, request);
        off_t offset = meter_random_block(&m) * BENCH_BLOCK_SIZE;
        ssize_t result;
        if (job->direct)
            result = pread(fd, memory, BENCH_BLOCK_SIZE, offset);
        else
            result = preadv2(fd, &piece, 1, offset, RWF_NOWAIT);
        // The rare miss.
        if (result < 0 && errno == EAGAIN)
            result = preadv2(fd, &piece, 1, offset, 0);
        meter_read(&m, memory, result);
    }
    meter_finish(&m, sample);
    free(buffers);
    return 0;
}

int bench_plain_write(const bench_job *job, bench_sample *sample) {
    struct meter m;
    void *memory = bench_allocate(BENCH_BLOCK_SIZE);
    meter_start(&m, job);
    while (m.running) {
        int64_t block = meter_sequential_block(&m);
        meter_fill(memory, block);
        ssize_t result = pwrite(job->fds[0], memory, BENCH_BLOCK_SIZE, block * BENCH_BLOCK_SIZE);
        meter_written(&m, result, BENCH_BLOCK_SIZE);
    }
    meter_finish(&m, sample);
    free(memory);
    return 0;
}

int bench_plain_append(const bench_job *job, bench_sample *sample) {
    struct meter m;
    char record[BENCH_RECORD_SIZE] = {0};
    int64_t end = 0;
    meter_start(&m, job);
    while (m.running) {
        int64_t written = 0;
        for (int index = 0; index < job->depth; index++) {
            if (pwrite(job->fds[0], record, sizeof record, end) == sizeof record)
                written++;
            end += (int64_t)sizeof record;
        }
        if (fdatasync(job->fds[0]) != 0)
            return errno;
        for (int index = 0; index < job->depth; index++)
            meter_written(&m, index < written, true);
    }
    meter_finish(&m, sample);
    return 0;
}
