// Calls what Sources/CReactor has, for the sanitizers: see .ci/undefined.
#include "CLibevent.h"
#include "CReactor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

// After the others: the checks are made in every build.
#undef NDEBUG
#include <assert.h>

static void do_nothing(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    (void)context;
}

static void check_uncounted_event(void) {
    struct event_base *base = event_base_new();
    struct event *event = event_new(base, -1, EV_PERSIST, do_nothing, NULL);
    struct timeval hour = {.tv_sec = 3600};
    creactor_leave_uncounted(event);
    assert(event_add(event, &hour) == 0);
    // 1 says that there was nothing to wait for, in spite of the event.
    assert(event_base_dispatch(base) == 1);
    event_free(event);
    event_base_free(base);
}

static void check_eventfd(void) {
    int fd = creactor_eventfd();
    assert(fd >= 0);
    close(fd);
}

static void check_sockets(void) {
    // Without a name it gets one of its own, in the abstract namespace.
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t byte_count = sizeof address.sun_family;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert(bind(listener, (struct sockaddr *)&address, byte_count) == 0);
    byte_count = sizeof address;
    assert(getsockname(listener, (struct sockaddr *)&address, &byte_count) == 0);
    assert(listen(listener, 1) == 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert(connect(client, (struct sockaddr *)&address, byte_count) == 0);
    byte_count = sizeof address;
    int server = creactor_accept(listener, (struct sockaddr *)&address, &byte_count);
    assert(server >= 0 && fcntl(server, F_GETFL) & O_NONBLOCK);
    assert(fcntl(server, F_GETFD) & FD_CLOEXEC);

    const struct iovec pieces[] = {{"ab", 2}, {"c", 1}};
    assert(creactor_send(client, pieces, 2) == 3);
    char received[4] = "";
    assert(read(server, received, 3) == 3 && strcmp(received, "abc") == 0);
    close(server);
    // The signal would end the process.
    assert(creactor_send(client, pieces, 2) == -1);
    close(client);
    close(listener);
}

int main(void) {
    check_uncounted_event();
    check_eventfd();
    check_sockets();
}
