// Serves the files below a directory by evhttp, and never waits for the disk.
// Usage: server DIRECTORY PORT
#include <evaio.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { LARGEST_FILE = 64 * 1024 * 1024 };
static struct evaio_base *aio;
static struct evaio_dir *root;

// If the client has left meanwhile, libevent frees the request instead of sending it.
static void got_file(struct evbuffer *data, const struct evaio_error *error, void *request) {
  if (error == NULL) {
    evhttp_send_reply(request, HTTP_OK, "OK", data);  // copies nothing
  } else {
    char line[512];
    evaio_error_format(error, line, sizeof line);
    fprintf(stderr, "%s\n", line);
    evhttp_send_error(request, HTTP_NOTFOUND, NULL);
  }
}

static void got_request(struct evhttp_request *request, void *arg) {
  const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
  char *name = evhttp_uridecode(path == NULL ? "" : path, 0, NULL);
  (void)arg;
  if (name == NULL) abort();
  // Not even ".." leads out of the directory.
  evaio_read_file(aio, root, name[0] == '/' ? name + 1 : name, LARGEST_FILE, got_file, request);
  free(name);
}

static void opened_root(struct evaio_dir *dir, const struct evaio_error *error, void *arg) {
  (void)error, (void)arg;
  root = dir;
}

static void stop(evutil_socket_t signal, short events, void *base) {
  (void)signal, (void)events;
  event_base_loopexit(base, NULL);
}

int main(int count, char **arguments) {
  if (count != 3) return fprintf(stderr, "usage: server DIRECTORY PORT\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  struct event_base *base = event_base_new();
  if (base == NULL || (aio = evaio_base_new(base, NULL)) == NULL) return perror("server"), 1;
  evaio_open_dir(aio, NULL, arguments[1], opened_root, NULL);
  event_base_dispatch(base);  // returns when nothing is in progress any more
  struct evhttp *http = evhttp_new(base);
  struct evhttp_bound_socket *listener =
      evhttp_bind_socket_with_handle(http, "127.0.0.1", (ev_uint16_t)atoi(arguments[2]));
  if (root == NULL || listener == NULL)
    return fprintf(stderr, "server: the directory, or the port, cannot be used\n"), 1;
  // For its connections, too. Without, the end of a response in several writes waits for 40 ms.
  int on = 1;
  setsockopt(evhttp_bound_socket_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
  evhttp_set_gencb(http, got_request, NULL);
  struct event *terminate = evsignal_new(base, SIGTERM, stop, base);
  if (terminate == NULL || event_add(terminate, NULL) != 0) return perror("server"), 1;
  event_base_dispatch(base);
  evaio_close_dir(root);
  evaio_base_free(aio);  // calls back for what is in progress, which uses requests
  evhttp_free(http);     // frees them
  event_free(terminate);
  event_base_free(base);
}
