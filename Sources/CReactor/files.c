#include "CReactor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int creactor_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int64_t creactor_file_size(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? status.st_size : -1;
}

static int is_pending(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

ssize_t creactor_send_file(int socket, int file, int64_t offset, size_t byte_count) {
    sigset_t broken_pipe, before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    int was_blocked = sigismember(&before, SIGPIPE) == 1;
    // Where it was not blocked, none was pending for this thread.
    int was_pending = was_blocked && is_pending();
    off_t place = offset;
    ssize_t sent = sendfile(socket, file, &place, byte_count);
    int reason = errno;
    // sendfile(2) cannot be told not to raise it, and does so, too, when the peer goes after a part
    // was sent: then it returns that part.
    const struct timespec at_once = {0};
    if (sent < (ssize_t)byte_count && !was_pending)
        while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    if (!was_blocked)
        pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
    errno = reason;
    return sent;
}
