// Calls what Sources/CReactor has, for the sanitizers: see .ci/undefined.
#include "CLibevent.h"
#include "CReactor.h"

#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdlib.h>
#include <sys/wait.h>
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

static void check_forks(void) {
    creactor_count_forks();
    creactor_count_forks();
    unsigned before = creactor_fork_count();
    pid_t child = fork();
    if (child == 0)
        _exit(creactor_fork_count() == before + 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    int status = 0;
    assert(waitpid(child, &status, 0) == child && status == 0);
    assert(creactor_fork_count() == before);
}

static void check_request(void) {
    struct evhttp_request *request = evhttp_request_new(NULL, NULL);
    request->minor = 1;
    assert(creactor_minor_version(request) == 1);
    evhttp_request_free(request);
}

int main(void) {
    check_uncounted_event();
    check_forks();
    check_request();
}
