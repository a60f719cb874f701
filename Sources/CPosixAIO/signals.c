#include "CPosixAIO.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <unistd.h>

// One mailbox for each signal number. The handler runs on any thread at any moment, also while the
// owner gives the number back, so the pipe must not be closed under it: `users` counts the handlers
// inside, and its top bit says that the mailbox is shut. The owner shuts it and closes the pipe if
// nobody is inside; else the last handler to leave closes it.
struct mailbox {
    _Atomic bool owned;
    _Atomic uint32_t users;
    _Atomic int pipe_write_fd;
    _Atomic uint64_t strays;
    _Atomic bool overflow;
};

static const uint32_t shut = UINT32_C(1) << 31;

// The largest signal number of Linux is 64.
enum { mailbox_count = 65 };
static struct mailbox mailboxes[mailbox_count];

static void close_pipe_once(struct mailbox *box) {
    int fd = atomic_exchange(&box->pipe_write_fd, -1);
    if (fd >= 0)
        close(fd);
}

// Async-signal-safe: lock-free atomics, write(2) and close(2) only, and errno is put back.
static void deliver(int signo, siginfo_t *info, void *context) {
    (void)context;
    int saved_errno = errno;
    struct mailbox *box = &mailboxes[signo];
    if ((atomic_fetch_add(&box->users, 1) & shut) == 0) {
        uint64_t ticket = info->si_code == SI_ASYNCIO ? (uintptr_t)info->si_value.sival_ptr : 0;
        // Eight bytes into a pipe are written whole or not at all.
        if (write(atomic_load(&box->pipe_write_fd), &ticket, sizeof ticket) != sizeof ticket)
            atomic_store(&box->overflow, true);
        // Behind the write: who sees the count finds the ticket.
        atomic_fetch_add(&box->strays, 1);
    }
    if (atomic_fetch_sub(&box->users, 1) == (shut | 1))
        close_pipe_once(box);
    errno = saved_errno;
}

int caio_sigrtmin(void) { return SIGRTMIN; }

int caio_sigrtmax(void) { return SIGRTMAX; }

int caio_signal_claim(int signo, int pipe_write_fd) {
    if (signo < SIGRTMIN || signo > SIGRTMAX || signo >= mailbox_count) {
        errno = EINVAL;
        return -1;
    }
    struct mailbox *box = &mailboxes[signo];
    bool unowned = false;
    if (!atomic_compare_exchange_strong(&box->owned, &unowned, true)) {
        errno = EBUSY;
        return -1;
    }
    // A handler of the former owner that has not left yet still needs the mailbox.
    bool occupied = (atomic_load(&box->users) & ~shut) != 0;
    struct sigaction present;
    if (occupied || sigaction(signo, NULL, &present) != 0 || present.sa_handler != SIG_DFL) {
        atomic_store(&box->owned, false);
        errno = EBUSY;
        return -1;
    }
    atomic_store(&box->pipe_write_fd, pipe_write_fd);
    atomic_store(&box->strays, 0);
    atomic_store(&box->overflow, false);
    atomic_fetch_and(&box->users, ~shut);

    struct sigaction action = {.sa_sigaction = deliver, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    if (sigaction(signo, &action, NULL) != 0) {
        int reason = errno;
        atomic_fetch_or(&box->users, shut);
        atomic_store(&box->pipe_write_fd, -1);
        atomic_store(&box->owned, false);
        errno = reason;
        return -1;
    }
    return 0;
}

void caio_signal_release(int signo) {
    struct mailbox *box = &mailboxes[signo];
    // SIG_IGN first: it discards what is pending, which SIG_DFL would let kill the process.
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigaction(signo, &action, NULL);
    if ((atomic_fetch_or(&box->users, shut) & ~shut) == 0)
        close_pipe_once(box);
    action.sa_handler = SIG_DFL;
    sigaction(signo, &action, NULL);
    atomic_store(&box->owned, false);
}

uint64_t caio_signal_strays(int signo) { return atomic_load(&mailboxes[signo].strays); }

bool caio_signal_take_overflow(int signo) {
    return atomic_load(&mailboxes[signo].overflow) &&
           atomic_exchange(&mailboxes[signo].overflow, false);
}

static sigset_t only(int signo) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    return set;
}

int caio_signal_block(int signo) {
    sigset_t set = only(signo), before;
    int error = pthread_sigmask(SIG_BLOCK, &set, &before);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return sigismember(&before, signo) ? 0 : 1;
}

int caio_signal_unblock(int signo) {
    sigset_t set = only(signo);
    int error = pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

int caio_signalfd(int signo) {
    sigset_t set = only(signo);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int caio_signalfd_read(int fd, uint64_t *tickets, int capacity) {
    // 32 records of 128 bytes: 4 KiB of stack, and one call for a usual wake.
    enum { record_count = 32 };
    struct signalfd_siginfo records[record_count];
    int wanted = capacity < record_count ? capacity : record_count;
    ssize_t byte_count = read(fd, records, (size_t)wanted * sizeof records[0]);
    if (byte_count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    int count = (int)((size_t)byte_count / sizeof records[0]);
    for (int i = 0; i < count; ++i)
        tickets[i] = records[i].ssi_code == SI_ASYNCIO ? records[i].ssi_ptr : 0;
    return count;
}
