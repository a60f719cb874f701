// How long a response that is in the page cache takes, alone or while another client fetches files
// that are on the disk alone: what it takes longer then, the server has waited for the disk.
//
//     latency PORT ROOT COLD-FILES SECONDS
//
// Asks for /hot, and in a thread of its own for /cold0 and so on, if there are any. Prints the median
// and the 99th percentile of the time to a response in microseconds, and the number of cold files.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int port, cold_count;
static const char *root;
static atomic_int is_over, fetched_count;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int connect_to_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return client;
}

// Asks for a file, and reads the whole response.
static void get(int client, const char *name) {
    static _Thread_local char bytes[1 << 18];
    int length = snprintf(bytes, sizeof bytes, "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n", name);
    if (write(client, bytes, (size_t)length) != length) fail("write");
    size_t count = 0, whole = sizeof bytes;
    while (count < whole) {
        ssize_t piece = read(client, bytes + count, sizeof bytes - 1 - count);
        if (piece <= 0) fail("read");
        count += (size_t)piece;
        bytes[count] = 0;
        char *end = whole == sizeof bytes ? strstr(bytes, "\r\n\r\n") : NULL;
        if (end == NULL) continue;
        char *size = strcasestr(bytes, "\r\nContent-Length: ");
        if (strncmp(bytes, "HTTP/1.1 200", 12) != 0 || size == NULL) fail("response");
        whole = (size_t)(end + 4 - bytes) + strtoul(size + 18, NULL, 10);
    }
}

static void *fetch_cold_files(void *arg) {
    int client = connect_to_server();
    char name[32], path[4096];
    for (int i = 0; !atomic_load(&is_over); i++) {
        snprintf(name, sizeof name, "cold%d", i % cold_count);
        snprintf(path, sizeof path, "%s/%s", root, name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0) fail(path);
        close(file);
        get(client, name);
        atomic_fetch_add(&fetched_count, 1);
    }
    close(client);
    return arg;
}

static int compare(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    enum { LIMIT = 1 << 20 };
    if (count != 5) return fprintf(stderr, "usage: latency PORT ROOT COLD-FILES SECONDS\n"), 2;
    port = atoi(arguments[1]);
    root = arguments[2];
    cold_count = atoi(arguments[3]);
    pthread_t fetcher;
    if (cold_count > 0 && pthread_create(&fetcher, NULL, fetch_cold_files, NULL) != 0)
        fail("pthread_create");
    int client = connect_to_server();
    double *times = malloc(LIMIT * sizeof *times), start = now(), before = start;
    int time_count = 0;
    while (before - start < atof(arguments[4]) * 1e6 && time_count < LIMIT) {
        get(client, "hot");
        double after = now();
        times[time_count++] = after - before;
        before = after;
    }
    atomic_store(&is_over, 1);
    if (cold_count > 0) pthread_join(fetcher, NULL);
    close(client);
    qsort(times, (size_t)time_count, sizeof *times, compare);
    printf("%.0f %.0f %d\n", times[time_count / 2], times[time_count * 99 / 100],
           atomic_load(&fetched_count));
    free(times);
    return 0;
}
