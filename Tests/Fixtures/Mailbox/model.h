// What mailbox_test.c lets act: handlers, owners, operations that outlive theirs, and the system
// that they call. Stands behind the mailbox, whose functions it calls.
#pragma once
#include <ucontext.h>

enum { actor_limit = 4, stack_byte_count = 64 * 1024, pipe_limit = 16 };
enum { parent_process = 1, child_process = 2 };

struct actor {
    ucontext_t context;
    void (*body)(void);
    // A handler starts only while it is installed.
    bool is_handler;
    bool is_started;
    bool is_done;
    pid_t process;
    // Which generation a handler is inside of, or -1.
    int64_t entered;
    int claimed_pipe;
    bool waits_for_release;
};

static struct actor actors[actor_limit];
static _Alignas(16) char stacks[actor_limit][stack_byte_count];
static int actor_count, present_actor;
static ucontext_t explorer;

// MARK: The system that the mailbox sees

// Numbers are not used again, so that whoever uses a closed one is found.
struct pipe_state {
    bool is_open;
    bool is_released;
    int64_t generation;
};

static int signo;
static struct pipe_state pipes[pipe_limit];
static int pipe_count;
static struct sigaction disposition;
static bool pipes_are_full;
static const char *violation;

static void check(bool holds, const char *text) {
    if (!holds && violation == NULL)
        violation = text;
}

void model_step(void) { swapcontext(&actors[present_actor].context, &explorer); }

pid_t model_getpid(void) { return actors[present_actor].process; }

ssize_t model_write(int fd, size_t byte_count) {
    model_step();
    struct actor *self = &actors[present_actor];
    check(fd >= 0 && fd < pipe_count && pipes[fd].is_open, "a handler writes to a closed number");
    check(self->entered < 0 || pipes[fd].generation == self->entered,
          "a handler writes to the pipe of a generation that it did not enter");
    check(self->process == parent_process, "a handler in a child writes to its parent's pipe");
    if (!pipes_are_full)
        return (ssize_t)byte_count;
    errno = EAGAIN;
    return -1;
}

int model_close(int fd) {
    model_step();
    bool is_open = fd >= 0 && fd < pipe_count && pipes[fd].is_open;
    check(is_open, "a closed number is closed");
    check(!is_open || pipes[fd].is_released, "a pipe is closed whose owner has not released it");
    if (is_open)
        pipes[fd].is_open = false;
    return 0;
}

int model_sigaction(int number, const struct sigaction *action, struct sigaction *former) {
    (void)number;
    model_step();
    if (former != NULL)
        *former = disposition;
    if (action != NULL)
        disposition = *action;
    return 0;
}

static bool is_handled(void) { return disposition.sa_sigaction == deliver; }

// MARK: Who takes part

// Returns the pipe, or -1 where the claim is refused.
static int claim(void) {
    int fd = pipe_count++;
    check(pipe_count < pipe_limit, "the test needs more pipes");
    pipes[fd] = (struct pipe_state){.is_open = true};
    actors[present_actor].claimed_pipe = fd;
    if (caio_signal_claim(signo, fd) == 0)
        return fd;
    check(errno == EBUSY, "a claim is refused with EBUSY");
    pipes[fd].is_open = false;
    return -1;
}

static int present_pipe;

static void release(bool keep_ignored) {
    if (present_pipe < 0)
        return;
    pipes[present_pipe].is_released = true;
    caio_signal_release(signo, keep_ignored);
}

static void handle(void) {
    siginfo_t info = {.si_signo = signo, .si_code = SI_ASYNCIO};
    deliver(signo, &info, NULL);
}

static void own_twice(void) {
    release(false);
    present_pipe = claim();
    check(present_pipe >= 0, "a handler of the last owner does not keep the number from the next");
}

static void own_three_times(void) {
    own_twice();
    release(false);
    present_pipe = claim();
    release(false);
}

static bool orphan_is_left;

static void leave_orphan(void) {
    release(true);
    orphan_is_left = true;
    present_pipe = claim();
    release(false);
}

// An operation that ends after its owner: it sends its signal, and then nothing is left.
static void end_orphan(void) {
    model_step();
    check(disposition.sa_handler != SIG_DFL, "the signal of an orphan ends the process");
    if (is_handled())
        handle();
    // Only the queue that is gone counts it as an orphan.
    actors[present_actor].waits_for_release = true;
    model_step();
    check(caio_signal_restore(signo), "an orphan is counted");
}

static void claim_too(void) {
    int fd = claim();
    if (fd < 0)
        return;
    pipes[fd].is_released = true;
    caio_signal_release(signo, false);
}
