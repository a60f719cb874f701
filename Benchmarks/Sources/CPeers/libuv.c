// libuv's file calls on a loop, callbacks on one thread, the calls on its pool of threads.
#include "measure.h"

#include <uv.h>

struct state;

struct slot {
    uv_fs_t request;
    struct state *state;
    uv_buf_t buffer;
};

struct state {
    uv_loop_t loop;
    struct meter meter;
    int64_t end;
    int64_t requests;
};

static void read_next(struct slot *slot);
static void write_next(struct slot *slot);
static void append_next(struct slot *slot);

static void read_completed(uv_fs_t *request) {
    struct slot *slot = request->data;
    int64_t result = request->result;
    uv_fs_req_cleanup(request);
    meter_read(&slot->state->meter, slot->buffer.base, result);
    if (slot->state->meter.running)
        read_next(slot);
}

static void read_next(struct slot *slot) {
    struct state *s = slot->state;
    int64_t block = meter_random_block(&s->meter);
    uv_fs_read(&s->loop, &slot->request, meter_file(&s->meter, s->requests++), &slot->buffer, 1,
               block * BENCH_BLOCK_SIZE, read_completed);
}

static void write_completed(uv_fs_t *request) {
    struct slot *slot = request->data;
    int64_t result = request->result;
    uv_fs_req_cleanup(request);
    meter_written(&slot->state->meter, result, BENCH_BLOCK_SIZE);
    if (slot->state->meter.running)
        write_next(slot);
}

static void write_next(struct slot *slot) {
    struct state *s = slot->state;
    int64_t block = meter_sequential_block(&s->meter);
    meter_fill(slot->buffer.base, block);
    uv_fs_write(&s->loop, &slot->request, s->meter.job->fds[0], &slot->buffer, 1,
                block * BENCH_BLOCK_SIZE, write_completed);
}

static void append_synced(uv_fs_t *request) {
    struct slot *slot = request->data;
    int64_t result = request->result;
    uv_fs_req_cleanup(request);
    meter_written(&slot->state->meter, result, 0);
    if (slot->state->meter.running)
        append_next(slot);
}

static void append_written(uv_fs_t *request) {
    struct slot *slot = request->data;
    struct state *s = slot->state;
    if (request->result != BENCH_RECORD_SIZE)
        s->meter.failed++;
    uv_fs_req_cleanup(request);
    uv_fs_fdatasync(&s->loop, &slot->request, s->meter.job->fds[0], append_synced);
}

static void append_next(struct slot *slot) {
    struct state *s = slot->state;
    uv_fs_write(&s->loop, &slot->request, s->meter.job->fds[0], &slot->buffer, 1, s->end,
                append_written);
    s->end += BENCH_RECORD_SIZE;
}

static int run(const bench_job *job, bench_sample *sample, unsigned byte_count,
               void (*next)(struct slot *)) {
    struct state s = {0};
    int error = uv_loop_init(&s.loop);
    if (error != 0)
        return -error;
    char *memory = bench_allocate((int64_t)job->depth * BENCH_BLOCK_SIZE);
    struct slot *slots = calloc((size_t)job->depth, sizeof *slots);
    meter_start(&s.meter, job);
    for (int index = 0; index < job->depth; index++) {
        slots[index].state = &s;
        slots[index].request.data = &slots[index];
        slots[index].buffer = uv_buf_init(memory + (int64_t)index * BENCH_BLOCK_SIZE, byte_count);
        next(&slots[index]);
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    meter_finish(&s.meter, sample);
    uv_loop_close(&s.loop);
    free(slots);
    free(memory);
    return 0;
}

int bench_libuv_read(const bench_job *job, bench_sample *sample) {
    return run(job, sample, BENCH_BLOCK_SIZE, read_next);
}

int bench_libuv_write(const bench_job *job, bench_sample *sample) {
    return run(job, sample, BENCH_BLOCK_SIZE, write_next);
}

int bench_libuv_append(const bench_job *job, bench_sample *sample) {
    return run(job, sample, BENCH_RECORD_SIZE, append_next);
}

const char *bench_libuv_version(void) { return uv_version_string(); }
