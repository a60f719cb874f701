#define _GNU_SOURCE
#include "CPosixAIO.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>
#include <pthread.h>
#include <string.h>

// Stands in a control block's return value until glibc takes the operation. No read or write
// returns it, since counts are at most SSIZE_MAX and the only negative result is -1.
static const ssize_t untouched = -2;

void caio_prepare(struct aiocb *control, int opcode, int fd, void *memory, size_t byteCount,
                  int64_t offset) {
    memset(control, 0, sizeof *control);
    control->aio_fildes = fd;
    control->aio_lio_opcode = opcode;
    control->aio_buf = memory;
    control->aio_nbytes = byteCount;
    control->aio_offset = offset;
    // A zeroed sigevent would be SIGEV_SIGNAL with signal 0.
    control->aio_sigevent.sigev_notify = SIGEV_NONE;
    control->__return_value = untouched;
}

bool caio_was_accepted(const struct aiocb *control) {
    // aio_error takes glibc's mutex, so what is read behind it is settled.
    int error = aio_error(control);
    if (error == EINPROGRESS)
        return true;
    if (control->__return_value == untouched)
        return false;
    // With no helper thread to be had, glibc marks the operation as begun and then only overwrites
    // the error. A real failure has the return value -1.
    return error == 0 || control->__return_value == -1;
}

void caio_set_priority(struct aiocb *control, int priority) { control->aio_reqprio = priority; }

int caio_priority_limit(void) { return (int)sysconf(_SC_AIO_PRIO_DELTA_MAX); }

void caio_set_thread_limit(int count) {
    // The members that are left 0 get glibc's defaults, all but the idle time.
    struct aioinit settings = {.aio_threads = count, .aio_num = 64, .aio_idle_time = 1};
    aio_init(&settings);
}

int caio_iov_limit(void) { return UIO_MAXIOV; }

int caio_submit_silent_group(struct aiocb *const *controls, int count) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_NONE;
    return lio_listio(LIO_NOWAIT, (struct aiocb *const *)controls, count, &event);
}

int caio_suspend(const struct aiocb *const *controls, int count, int64_t nanoseconds) {
    const int64_t per_second = 1000000000;
    struct timespec timeout = {.tv_sec = nanoseconds / per_second,
                               .tv_nsec = nanoseconds % per_second};
    return aio_suspend(controls, count, nanoseconds < 0 ? NULL : &timeout);
}

static unsigned fork_count;
static pthread_once_t counting_forks = PTHREAD_ONCE_INIT;

// Runs in the child, which has one thread.
static void count_fork(void) { fork_count += 1; }

static void count_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

unsigned caio_fork_count(void) {
    pthread_once(&counting_forks, count_forks);
    return fork_count;
}

bool caio_is_forked_child(void) { return caio_fork_count() > 0; }

int caio_submit_group(struct aiocb *const *controls, int count, int signo, uint64_t value) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signo;
    event.sigev_value.sival_ptr = (void *)(uintptr_t)value;
    return lio_listio(LIO_NOWAIT, (struct aiocb *const *)controls, count, &event);
}
