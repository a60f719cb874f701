#define _GNU_SOURCE
#include "CLineServer.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { LINE_LIMIT = 4096 };

struct client {
  struct server *server;
  struct bufferevent *stream;  // NULL when the peer is gone and a file is still to come
  bool waits;                  // for a file; later lines wait as well
  LIST_ENTRY(client) others;
};

struct server {
  struct event_base *base;
  struct evconnlistener *listener;
  struct event *terminate;
  struct files *files;
  LIST_HEAD(, client) clients;
};

static void drop(struct client *client) {
  bufferevent_free(client->stream);
  client->stream = NULL;
  LIST_REMOVE(client, others);
  if (!client->waits) free(client);
}

static void answer_lines(struct client *client);

static void got_file(void *context, const void *bytes, size_t count, int error) {
  struct client *client = context;
  client->waits = false;
  if (client->stream == NULL) {
    free(client);
    return;
  }
  struct evbuffer *output = bufferevent_get_output(client->stream);
  if (error != 0) {
    evbuffer_add_printf(output, "error %d\n", error);
  } else {
    evbuffer_add_printf(output, "ok %zu\n", count);
    evbuffer_add(output, bytes, count);
  }
  answer_lines(client);
}

static int count_one(const struct event_base *base, const struct event *event, void *count) {
  (void)base, (void)event;
  *(int *)count += 1;
  return 0;
}

static void answer(struct client *client, const char *line) {
  struct server *server = client->server;
  struct evbuffer *output = bufferevent_get_output(client->stream);
  if (line[0] == '/' && server->files != NULL) {
    client->waits = true;
    files_read(server->files, line, got_file, client);
  } else if (strcmp(line, "open") == 0 && server->files == NULL) {
    server->files = files_open(server->base);
    evbuffer_add_printf(output, server->files == NULL ? "refused\n" : "opened\n");
  } else if (strcmp(line, "close") == 0 && server->files != NULL) {
    files_close(server->files);
    server->files = NULL;
    evbuffer_add_printf(output, "closed\n");
  } else if (strcmp(line, "events") == 0) {
    int count = 0;
    event_base_foreach_event(server->base, count_one, &count);
    evbuffer_add_printf(output, "%d\n", count);
  } else {
    evbuffer_add_printf(output, "%s\n", line);
  }
}

static void answer_lines(struct client *client) {
  struct evbuffer *input = bufferevent_get_input(client->stream);
  char *line;
  while (!client->waits && (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
    answer(client, line);
    free(line);
  }
}

static void readable(struct bufferevent *stream, void *context) {
  (void)stream;
  answer_lines(context);
}

static void ended(struct bufferevent *stream, short what, void *context) {
  (void)stream, (void)what;
  drop(context);
}

static void accepted(
    struct evconnlistener *listener, evutil_socket_t descriptor, struct sockaddr *address,
    int length, void *context) {
  (void)listener, (void)address, (void)length;
  struct server *server = context;
  struct client *client = calloc(1, sizeof *client);
  if (client == NULL) abort();
  client->server = server;
  client->stream = bufferevent_socket_new(server->base, descriptor, BEV_OPT_CLOSE_ON_FREE);
  if (client->stream == NULL) abort();
  LIST_INSERT_HEAD(&server->clients, client, others);
  bufferevent_setcb(client->stream, readable, NULL, ended, client);
  bufferevent_setwatermark(client->stream, EV_READ, 0, LINE_LIMIT);
  bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

// Afterwards nothing is left in the base but what is under way.
static void terminate(evutil_socket_t number, short what, void *context) {
  (void)number, (void)what;
  struct server *server = context;
  event_free(server->terminate);
  evconnlistener_free(server->listener);
  while (!LIST_EMPTY(&server->clients)) drop(LIST_FIRST(&server->clients));
  if (server->files != NULL) files_close(server->files);
}

int line_server_run(uint16_t port) {
  struct server server = {.base = event_base_new()};
  struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_port = htons(port),
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  LIST_INIT(&server.clients);
  server.listener = evconnlistener_new_bind(
      server.base, accepted, &server,
      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, -1,
      (struct sockaddr *)&address, sizeof address);
  if (server.listener == NULL) {
    perror("line_server: listen");
    event_base_free(server.base);
    return 1;
  }
  server.terminate = evsignal_new(server.base, SIGTERM, terminate, &server);
  event_add(server.terminate, NULL);
  getsockname(
      evconnlistener_get_fd(server.listener), (struct sockaddr *)&address, &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  event_base_dispatch(server.base);
  event_base_free(server.base);
  return 0;
}
