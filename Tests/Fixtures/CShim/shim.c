// Calls what Sources/CPosixAIO has, for valgrind: see .ci/valgrind. What the calls do is tested
// through Swift; here each must only leave memory and descriptors in order.
#include "CPosixAIO.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// After the others: the checks are made in every build.
#undef NDEBUG
#include <assert.h>

enum { operation_count = 8, block_byte_count = 512 };

static void wait_for(const struct aiocb *control) {
    while (aio_error(control) == EINPROGRESS)
        caio_suspend(&control, 1, -1);
}

static void check_groups(int fd) {
    struct aiocb *controls[operation_count];
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < operation_count; ++i) {
            char *memory = malloc(block_byte_count);
            assert(memory);
            memset(memory, 'a' + i, block_byte_count);
            controls[i] = malloc(sizeof *controls[i]);
            assert(controls[i]);
            caio_prepare(controls[i], round == 0 ? LIO_WRITE : LIO_READ, fd, memory,
                         block_byte_count, i * block_byte_count);
            assert(!caio_was_accepted(controls[i]));
            caio_set_priority(controls[i], i % (caio_priority_limit() + 1));
        }
        assert(caio_submit_silent_group(controls, operation_count) == 0);
        for (int i = 0; i < operation_count; ++i) {
            wait_for(controls[i]);
            char *memory = (char *)controls[i]->aio_buf;
            assert(aio_return(controls[i]) == block_byte_count && memory[0] == 'a' + i);
            free(memory);
            free(controls[i]);
        }
    }
}

static void check_refusal(int fd) {
    struct aiocb control;
    caio_prepare(&control, LIO_READ, fd, NULL, 0, 0);
    caio_set_priority(&control, caio_priority_limit() + 1);
    assert(aio_read(&control) == -1 && errno == EINVAL);
}

// The signal is read from a signalfd, and then caught by the handler.
static void check_signals(int fd) {
    int signo = caio_sigrtmin(), read_fd, write_fd;
    assert(signo < caio_sigrtmax() && caio_pipe(&read_fd, &write_fd) == 0);
    assert(caio_signal_claim(signo, write_fd) == 0);
    assert(caio_signal_claim(signo, write_fd) == -1 && errno == EBUSY);
    struct aiocb control, *controls[] = {&control};

    assert(caio_signal_block(signo) == 0);
    int signal_fd = caio_signalfd(signo);
    caio_prepare(&control, LIO_READ, fd, NULL, 0, 0);
    assert(caio_submit_group(controls, 1, signo, 42) == 0);
    struct pollfd polled = {.fd = signal_fd, .events = POLLIN};
    assert(poll(&polled, 1, 30000) == 1);
    uint64_t values[4];
    assert(caio_signalfd_read(signal_fd, values, 4) == 1 && values[0] == 42);
    assert(caio_signalfd_read(signal_fd, values, 4) == 0);
    wait_for(&control);
    assert(aio_return(&control) == 0);
    caio_signal_unblock(signo);
    // Not blocked by us any more, so this leaves the mask alone.
    caio_signal_unblock(signo);

    caio_prepare(&control, LIO_READ, fd, NULL, 0, 0);
    assert(caio_submit_group(controls, 1, signo, 43) == 0);
    polled.fd = read_fd;
    while (poll(&polled, 1, 30000) == -1)
        assert(errno == EINTR);
    assert(read(read_fd, values, sizeof values) == sizeof values[0] && values[0] == 43);
    wait_for(&control);
    assert(caio_signal_strays(signo) == 1 && !caio_signal_take_overflow(signo));
    caio_signal_release(signo, true);
    close(signal_fd);
    close(read_fd);

    // Ignored until the operation that it is kept for has ended, and free for another owner.
    assert(raise(signo) == 0 && caio_pipe(&read_fd, &write_fd) == 0);
    assert(caio_signal_claim(signo, write_fd) == 0);
    caio_signal_release(signo, false);
    close(read_fd);
    assert(raise(signo) == 0);
    assert(caio_signal_restore(signo) && !caio_signal_restore(signo));
    struct sigaction action;
    assert(sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
}

static void check_descriptors(void) {
    int timer_fd = caio_timerfd(), epoll_fd = caio_epoll();
    uint32_t sources = 0;
    assert(caio_epoll_add(epoll_fd, timer_fd, 4) == 0);
    assert(caio_timerfd_set(timer_fd, UINT64_MAX) == 0);
    assert(caio_epoll_wait(epoll_fd, &sources) == 0 && sources == 0);
    assert(caio_timerfd_set(timer_fd, 0) == 0);
    struct pollfd polled = {.fd = epoll_fd, .events = POLLIN};
    assert(poll(&polled, 1, 30000) == 1);
    assert(caio_epoll_wait(epoll_fd, &sources) == 1 && sources == 4);
    close(timer_fd);
    close(epoll_fd);
}

static void check_files(int fd) {
    assert(caio_iov_limit() > 0 && caio_now() <= caio_now());
    assert(caio_o_direct() != 0);
    char memory[block_byte_count];
    ssize_t count = caio_read_cached(fd, memory, sizeof memory, 0);
    assert(count == sizeof memory ? memory[0] == 'a' : count == -1);
    assert(caio_read_cached(fd, NULL, 0, 0) <= 0);
}

static void check_fork(void) {
    assert(!caio_is_forked_child() && caio_fork_count() == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(caio_is_forked_child() && caio_fork_count() == 1 ? 0 : 1);
    int status = -1;
    assert(waitpid(child, &status, 0) == child && status == 0);
}

// Some file systems support only a part of it, and say so.
static void check_names(void) {
    enum { block_byte_count = 4096 };
    int directory_fd = open(".", O_RDONLY | O_DIRECTORY);
    assert(directory_fd >= 0);
    assert(caio_o_path() != 0 && caio_o_tmpfile() != 0);
    int fd = caio_open_beneath(directory_fd, "beneath", O_CREAT | O_RDWR, 0600);
    assert(fd >= 0 || errno == ENOSYS);
    if (fd < 0)
        fd = open("beneath", O_CREAT | O_RDWR, 0600);
    assert(caio_open_beneath(directory_fd, "../above", O_RDONLY, 0) == -1);
    close(caio_open_cached(directory_fd, "beneath", O_RDONLY));
    caio_opens_in_memory(fd);
    for (int kind = CAIO_ALLOCATE_EXTENDING; kind <= CAIO_ALLOCATE_ZEROS; ++kind) {
        int result = caio_allocate(fd, (enum caio_allocation)kind, 0, block_byte_count);
        assert(result == 0 || errno == EOPNOTSUPP);
    }
    assert(caio_start_write_back(fd, 0, 0) == 0);
    assert(caio_lock(fd, F_WRLCK, false, 0, 0) == 0);
    assert(caio_lock(fd, F_UNLCK, true, 0, 0) == 0);
    assert(caio_rename_exclusively(directory_fd, "beneath", directory_fd, "beneath") == -1);
    assert(caio_rename_exclusively(directory_fd, "beneath", directory_fd, "moved") == 0);
    close(fd);
    close(directory_fd);
}

// In an empty folder.
int main(void) {
    caio_set_thread_limit(4);
    int fd = open("file", O_CREAT | O_RDWR, 0600);
    assert(fd >= 0);
    check_groups(fd);
    check_refusal(fd);
    check_signals(fd);
    check_descriptors();
    check_files(fd);
    check_fork();
    close(fd);
    check_names();
    return 0;
}
