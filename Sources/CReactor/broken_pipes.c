#include "CReactor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

// Of the calling thread.
static _Thread_local unsigned hold_count;
static _Thread_local int was_blocked;
static _Thread_local int was_pending;

static int is_pending(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void creactor_hold_broken_pipes(void) {
    if (hold_count++ > 0)
        return;
    sigset_t broken_pipe, before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    was_pending = is_pending();
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    was_blocked = sigismember(&before, SIGPIPE);
}

void creactor_release_broken_pipes(void) {
    if (hold_count == 0 || --hold_count > 0)
        return;
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    const struct timespec at_once = {0};
    // Ours: a write of this thread raised it. At most one is pending for a thread.
    if (!was_pending && is_pending())
        while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    if (!was_blocked)
        pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
}

unsigned long creactor_thread_number(void) {
    static atomic_ulong last;
    static _Thread_local unsigned long number;
    if (number == 0)
        number = atomic_fetch_add(&last, 1) + 1;
    return number;
}
