// A client that waits for each answer, on a thread of its own.
#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct bench_echo {
    pthread_t thread;
    int socket;
    int64_t warm_up_nanoseconds;
    int64_t nanoseconds;
    int64_t *latencies;
    int64_t capacity;
    int64_t count;
    int error;
};

int bench_connect(int port) {
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0)
        return -1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        int error = errno;
        close(client);
        errno = error;
        return -1;
    }
    return client;
}

/// Sends a message and waits until all of it is back. Returns 0 or an error number.
static int round_trip(int socket, char *message) {
    if (send(socket, message, BENCH_MESSAGE_SIZE, MSG_NOSIGNAL) != BENCH_MESSAGE_SIZE)
        return errno != 0 ? errno : EIO;
    if (recv(socket, message, BENCH_MESSAGE_SIZE, MSG_WAITALL) != BENCH_MESSAGE_SIZE)
        return errno != 0 ? errno : EIO;
    return 0;
}

static void *run(void *context) {
    struct bench_echo *echo = context;
    char message[BENCH_MESSAGE_SIZE] = {0};
    int64_t now = bench_now(), from = now + echo->warm_up_nanoseconds;
    int64_t until = from + echo->nanoseconds;
    while (now < until && echo->count < echo->capacity) {
        echo->error = round_trip(echo->socket, message);
        if (echo->error != 0)
            break;
        int64_t then = bench_now();
        if (now >= from)
            echo->latencies[echo->count++] = then - now;
        now = then;
    }
    shutdown(echo->socket, SHUT_WR);
    return NULL;
}

bench_echo *bench_echo_start(int socket, int64_t warm_up_nanoseconds, int64_t nanoseconds,
                             int64_t *latencies, int64_t capacity) {
    struct bench_echo *echo = calloc(1, sizeof *echo);
    if (echo == NULL)
        return NULL;
    *echo = (struct bench_echo){.socket = socket,
                                .warm_up_nanoseconds = warm_up_nanoseconds,
                                .nanoseconds = nanoseconds,
                                .latencies = latencies,
                                .capacity = capacity};
    int error = pthread_create(&echo->thread, NULL, run, echo);
    if (error != 0) {
        free(echo);
        errno = error;
        return NULL;
    }
    return echo;
}

int bench_echo_finish(bench_echo *echo, int64_t *count) {
    pthread_join(echo->thread, NULL);
    int error = echo->error;
    *count = echo->count;
    free(echo);
    return error;
}
