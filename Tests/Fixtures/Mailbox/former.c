// The mailbox as it was, without a generation: mailbox_test.c has to find what was wrong with it.
#include "CPosixAIO.h"
#include "hooks.h"

#include <errno.h>
#include <stdatomic.h>

struct mailbox {
    _Atomic uint32_t users;
    _Atomic int pipe_write_fd;
};

static const uint32_t shut = UINT32_C(1) << 31;
static struct mailbox mailboxes[65];

static void close_pipe_once(struct mailbox *box) {
    STEP();
    int fd = atomic_exchange(&box->pipe_write_fd, -1);
    if (fd >= 0)
        close(fd);
}

static void deliver(int signo, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    struct mailbox *box = &mailboxes[signo];
    STEP();
    if ((atomic_fetch_add(&box->users, 1) & shut) == 0) {
        STEP();
        int fd = atomic_load(&box->pipe_write_fd);
        uint64_t value = 0;
        if (write(fd, &value, sizeof value) != sizeof value)
            errno = 0;
    }
    STEP();
    if (atomic_fetch_sub(&box->users, 1) == (shut | 1))
        close_pipe_once(box);
}

int caio_signal_claim(int signo, int pipe_write_fd) {
    struct mailbox *box = &mailboxes[signo];
    STEP();
    struct sigaction present;
    if ((atomic_load(&box->users) & ~shut) != 0 || sigaction(signo, NULL, &present) != 0 ||
        present.sa_handler != SIG_DFL) {
        errno = EBUSY;
        return -1;
    }
    STEP();
    atomic_store(&box->pipe_write_fd, pipe_write_fd);
    STEP();
    atomic_fetch_and(&box->users, ~shut);
    struct sigaction action = {.sa_sigaction = deliver, .sa_flags = SA_SIGINFO};
    sigaction(signo, &action, NULL);
    return 0;
}

void caio_signal_release(int signo, bool keep_ignored) {
    (void)keep_ignored;
    struct mailbox *box = &mailboxes[signo];
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigaction(signo, &action, NULL);
    STEP();
    if ((atomic_fetch_or(&box->users, shut) & ~shut) == 0)
        close_pipe_once(box);
    action.sa_handler = SIG_DFL;
    sigaction(signo, &action, NULL);
}

bool caio_signal_restore(int signo) {
    (void)signo;
    return true;
}
