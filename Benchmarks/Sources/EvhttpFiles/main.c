// A file server as libevent's own sample is one: evhttp on one thread, each file opened and read
// where the request arrives. `pread` reads it into the answer, `sendfile` leaves it to
// evbuffer_add_file(3), which reads it when the socket takes it. Both wait for the disk in the
// loop. `hello` responds with the same six bytes to everything, and opens no file.
//
//     evhttp-files pread|sendfile|hello ROOT PORT
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct server {
    int root;
    int sends_file;
};

/// Reads a whole file into the memory of an answer. Returns 0, or -1.
static int read_whole(int file, struct evbuffer *body, size_t size) {
    struct evbuffer_iovec piece;
    if (evbuffer_reserve_space(body, (ev_ssize_t)size, &piece, 1) != 1)
        return -1;
    size_t count = 0;
    while (count < size) {
        ssize_t more = pread(file, (char *)piece.iov_base + count, size - count, (off_t)count);
        if (more <= 0)
            return -1;
        count += (size_t)more;
    }
    piece.iov_len = size;
    return evbuffer_commit_space(body, &piece, 1);
}

static void send_file(struct evhttp_request *request, const struct server *server, int file,
                      const struct stat *status) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();
    char modified[64];
    struct tm time;
    gmtime_r(&status->st_mtime, &time);
    strftime(modified, sizeof modified, "%a, %d %b %Y %H:%M:%S GMT", &time);
    evhttp_add_header(headers, "Last-Modified", modified);
    evhttp_add_header(headers, "Content-Type", "application/octet-stream");
    size_t size = (size_t)status->st_size;
    int result = server->sends_file ? evbuffer_add_file(body, file, 0, status->st_size)
                                    : read_whole(file, body, size);
    // evbuffer_add_file closes the file, when it has been sent.
    if (!server->sends_file)
        close(file);
    if (result == 0)
        evhttp_send_reply(request, HTTP_OK, "OK", body);
    else
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    evbuffer_free(body);
}

static void answer(struct evhttp_request *request, void *context) {
    const struct server *server = context;
    if (evhttp_request_get_command(request) != EVHTTP_REQ_GET) {
        // Not evhttp_send_error, which closes the connection.
        evhttp_send_reply(request, HTTP_BADMETHOD, "Method Not Allowed", NULL);
        return;
    }
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    if (path == NULL || path[0] != '/' || strstr(path, "..") != NULL) {
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
        return;
    }
    int file = openat(server->root, path + 1, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (file >= 0)
            close(file);
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
        return;
    }
    send_file(request, server, file, &status);
}

static void greet(struct evhttp_request *request, void *context) {
    (void)context;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();
    evhttp_add_header(headers, "Content-Type", "text/plain");
    evbuffer_add(body, "Hello\n", 6);
    evhttp_send_reply(request, HTTP_OK, "OK", body);
    evbuffer_free(body);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: evhttp-files pread|sendfile|hello ROOT PORT\n");
        return 2;
    }
    struct server server = {.root = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                            .sends_file = strcmp(arguments[1], "sendfile") == 0};
    if (server.root < 0) {
        perror(arguments[2]);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
    struct evhttp_bound_socket *listener =
        http != NULL ? evhttp_bind_socket_with_handle(http, "127.0.0.1",
                                                      (ev_uint16_t)atoi(arguments[3]))
                     : NULL;
    if (listener == NULL) {
        perror("evhttp-files");
        return 1;
    }
    // Its connections inherit it. Without, an answer in several writes waits 40 ms for its end.
    int on = 1;
    setsockopt(evhttp_bound_socket_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    evhttp_set_gencb(http, strcmp(arguments[1], "hello") == 0 ? greet : answer, &server);
    return event_base_dispatch(base) == 0 ? 0 : 1;
}
