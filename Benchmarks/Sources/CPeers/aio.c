// The calls behind an AIORead, by themselves: one control block, used again and again.
#include "measure.h"

#include <aio.h>
#include <errno.h>
#include <sched.h>

static void wait_yielding(struct aiocb *control) {
    while (aio_error(control) == EINPROGRESS)
        sched_yield();
}

static void wait_suspended(struct aiocb *control) {
    const struct aiocb *list[] = {control};
    while (aio_error(control) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
}

static int run(const bench_job *job, bench_sample *sample, void (*wait)(struct aiocb *)) {
    struct meter m;
    struct aiocb control = {.aio_fildes = job->fds[0],
                            .aio_buf = bench_allocate(BENCH_BLOCK_SIZE),
                            .aio_nbytes = BENCH_BLOCK_SIZE,
                            .aio_offset = BENCH_BLOCK_SIZE,
                            .aio_sigevent = {.sigev_notify = SIGEV_NONE}};
    meter_start(&m, job);
    while (m.running) {
        m.expected += bench_pattern(1);
        if (aio_read(&control) != 0)
            return errno;
        wait(&control);
        meter_read(&m, (const void *)control.aio_buf, aio_return(&control));
    }
    meter_finish(&m, sample);
    free((void *)control.aio_buf);
    return 0;
}

int bench_aio_yield(const bench_job *job, bench_sample *sample) {
    return run(job, sample, wait_yielding);
}

int bench_aio_suspend(const bench_job *job, bench_sample *sample) {
    return run(job, sample, wait_suspended);
}
