#include "CPosixAIO.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

// The signals, by their numbers, that this thread did not block before it was told to here. Kept
// with the thread, since no thread can change the mask of another.
static _Thread_local uint64_t blocked_here;

static sigset_t only(int signo) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    return set;
}

static uint64_t bit_of(int signo) { return UINT64_C(1) << (signo - 1); }

int caio_signal_block(int signo) {
    sigset_t set = only(signo), before;
    int error = pthread_sigmask(SIG_BLOCK, &set, &before);
    if (error != 0) {
        errno = error;
        return -1;
    }
    if (!sigismember(&before, signo))
        blocked_here |= bit_of(signo);
    return 0;
}

void caio_signal_unblock(int signo) {
    if ((blocked_here & bit_of(signo)) == 0)
        return;
    blocked_here &= ~bit_of(signo);
    sigset_t set = only(signo);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int caio_signalfd(int signo) {
    sigset_t set = only(signo);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

uint64_t caio_signalfd_value(const void *record) {
    // The bytes may lie anywhere.
    struct signalfd_siginfo signal;
    memcpy(&signal, record, sizeof signal);
    return signal.ssi_code == SI_ASYNCIO ? signal.ssi_ptr : 0;
}

int caio_signalfd_read(int fd, uint64_t *values, int capacity) {
    // 32 records of 128 bytes: 4 KiB of stack, and one call for a usual wake.
    enum { record_count = 32 };
    struct signalfd_siginfo records[record_count];
    int wanted = capacity < record_count ? capacity : record_count;
    ssize_t byte_count = read(fd, records, (size_t)wanted * sizeof records[0]);
    if (byte_count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    int count = (int)((size_t)byte_count / sizeof records[0]);
    for (int i = 0; i < count; ++i)
        values[i] = caio_signalfd_value(&records[i]);
    return count;
}
