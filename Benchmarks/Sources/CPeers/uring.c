// io_uring as its documents show it: no registered files or buffers, no polling thread.
#define _GNU_SOURCE
#include "measure.h"

#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>

const char *bench_liburing_file(void) {
    Dl_info info;
    return dladdr((void *)(uintptr_t)io_uring_queue_init, &info) != 0 ? info.dli_fname : "";
}

struct state {
    struct io_uring ring;
    struct meter meter;
    char *memory;
    int in_flight;
    int64_t end;
    int64_t requests;
};

typedef void submit(struct state *s, uint64_t slot);
typedef void completed(struct state *s, struct io_uring_cqe *cqe);

static void submit_read(struct state *s, uint64_t slot) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
    int64_t block = meter_random_block(&s->meter);
    io_uring_prep_read(sqe, meter_file(&s->meter, s->requests++),
                       s->memory + slot * BENCH_BLOCK_SIZE, BENCH_BLOCK_SIZE,
                       (uint64_t)(block * BENCH_BLOCK_SIZE));
    sqe->user_data = slot;
    s->in_flight++;
}

static void read_completed(struct state *s, struct io_uring_cqe *cqe) {
    uint64_t slot = cqe->user_data;
    s->in_flight--;
    meter_read(&s->meter, s->memory + slot * BENCH_BLOCK_SIZE, cqe->res);
    if (s->meter.running)
        submit_read(s, slot);
}

static void submit_write(struct state *s, uint64_t slot) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
    char *memory = s->memory + slot * BENCH_BLOCK_SIZE;
    int64_t block = meter_sequential_block(&s->meter);
    meter_fill(memory, block);
    io_uring_prep_write(sqe, s->meter.job->fds[0], memory, BENCH_BLOCK_SIZE,
                        (uint64_t)(block * BENCH_BLOCK_SIZE));
    sqe->user_data = slot;
    s->in_flight++;
}

static void write_completed(struct state *s, struct io_uring_cqe *cqe) {
    s->in_flight--;
    meter_written(&s->meter, cqe->res, BENCH_BLOCK_SIZE);
    if (s->meter.running)
        submit_write(s, cqe->user_data);
}

// The write and its sync are linked; the low bit of the user data says which of the two it is.
static void submit_append(struct state *s, uint64_t slot) {
    int fd = s->meter.job->fds[0];
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
    io_uring_prep_write(sqe, fd, s->memory + slot * BENCH_BLOCK_SIZE, BENCH_RECORD_SIZE,
                        (uint64_t)s->end);
    sqe->flags |= IOSQE_IO_LINK;
    sqe->user_data = slot << 1;
    s->end += BENCH_RECORD_SIZE;
    sqe = io_uring_get_sqe(&s->ring);
    io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
    sqe->user_data = slot << 1 | 1;
    s->in_flight += 2;
}

static void append_completed(struct state *s, struct io_uring_cqe *cqe) {
    uint64_t slot = cqe->user_data >> 1;
    s->in_flight--;
    if ((cqe->user_data & 1) == 0) {
        if (cqe->res != BENCH_RECORD_SIZE)
            s->meter.failed++;
        return;
    }
    meter_written(&s->meter, cqe->res, 0);
    if (s->meter.running)
        submit_append(s, slot);
}

static int run(const bench_job *job, bench_sample *sample, submit *start, completed *done) {
    struct state s = {0};
    int error = io_uring_queue_init((unsigned)job->depth * 2, &s.ring, 0);
    if (error != 0)
        return -error;
    s.memory = bench_allocate((int64_t)job->depth * BENCH_BLOCK_SIZE);
    meter_start(&s.meter, job);
    for (int slot = 0; slot < job->depth; slot++)
        start(&s, (uint64_t)slot);
    while (s.in_flight > 0) {
        int submitted = io_uring_submit_and_wait(&s.ring, 1);
        if (submitted < 0 && submitted != -EINTR)
            return -submitted;
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&s.ring, head, cqe) {
            count++;
            done(&s, cqe);
        }
        io_uring_cq_advance(&s.ring, count);
    }
    meter_finish(&s.meter, sample);
    io_uring_queue_exit(&s.ring);
    free(s.memory);
    return 0;
}

int bench_uring_read(const bench_job *job, bench_sample *sample) {
    return run(job, sample, submit_read, read_completed);
}

int bench_uring_write(const bench_job *job, bench_sample *sample) {
    return run(job, sample, submit_write, write_completed);
}

int bench_uring_append(const bench_job *job, bench_sample *sample) {
    return run(job, sample, submit_append, append_completed);
}
