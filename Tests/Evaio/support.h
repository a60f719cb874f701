// What the tests of the C library share: checks, a base with an evaio, and a scratch directory.
#ifndef SUPPORT_H
#define SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <evaio.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 120 };

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

static inline void check(bool holds, const char *text, const char *file, int line) {
  if (holds) return;
  fprintf(stderr, "%s:%d: error: %s (errno: %s)\n", file, line, text, strerror(errno));
  abort();
}

// A result, and how often it came.
struct outcome {
  int calls;
  ssize_t result;
  struct evaio_error error;
  char line[256];
  struct evaio_file *file;
  struct evaio_dir *dir;
  struct evbuffer *data;
  struct stat status;
  size_t entry_count;
};

static inline void keep_error(struct outcome *outcome, const struct evaio_error *error) {
  outcome->calls += 1;
  outcome->error = (struct evaio_error){.code = 0};
  outcome->line[0] = 0;
  if (error == NULL) return;
  outcome->error = *error;
  evaio_error_format(error, outcome->line, sizeof outcome->line);
}

static inline void got_result(ssize_t result, const struct evaio_error *error, void *arg) {
  struct outcome *outcome = arg;
  CHECK((result == -1) == (error != NULL));
  keep_error(outcome, error);
  outcome->result = result;
}

static inline void got_file(
    struct evaio_file *file, const struct evaio_error *error, void *arg) {
  struct outcome *outcome = arg;
  CHECK((file == NULL) == (error != NULL));
  keep_error(outcome, error);
  outcome->file = file;
}

static inline void got_dir(struct evaio_dir *dir, const struct evaio_error *error, void *arg) {
  struct outcome *outcome = arg;
  CHECK((dir == NULL) == (error != NULL));
  keep_error(outcome, error);
  outcome->dir = dir;
}

// Keeps the bytes, which the test frees.
static inline void got_data(struct evbuffer *data, const struct evaio_error *error, void *arg) {
  struct outcome *outcome = arg;
  CHECK((data == NULL) == (error != NULL));
  keep_error(outcome, error);
  outcome->data = NULL;
  if (data == NULL) return;
  outcome->data = evbuffer_new();
  CHECK(evbuffer_add_buffer(outcome->data, data) == 0);
}

static inline void got_status(
    const struct stat *status, const struct evaio_error *error, void *arg) {
  struct outcome *outcome = arg;
  CHECK((status == NULL) == (error != NULL));
  keep_error(outcome, error);
  if (status != NULL) outcome->status = *status;
}

static struct event_base *base;
static struct evaio_base *aio;
static char scratch[] = "/tmp/evaio-test-XXXXXX";

static inline void begin(void) {
  alarm(DEADLINE_SECONDS);
  CHECK(mkdtemp(scratch) != NULL);
  CHECK(chdir(scratch) == 0);
  base = event_base_new();
  CHECK(base != NULL);
  aio = evaio_base_new(base, NULL);
  CHECK(aio != NULL);
}

// An evaio base whose end waits for 20 milliseconds, instead of that of begin().
static inline void attach_for_a_quick_end(void) {
  struct evaio_options options;
  evaio_options_init(&options);
  options.grace_period = (struct timeval){0, 20000};
  aio = evaio_base_new(base, &options);
  CHECK(aio != NULL);
}

// Runs the base until nothing is in progress.
static inline void run(void) {
  CHECK(event_base_dispatch(base) >= 0);
}

static inline void remove_scratch(void) {
  char command[PATH_MAX];
  snprintf(command, sizeof command, "rm -rf %s", scratch);
  CHECK(chdir("/") == 0);
  CHECK(system(command) == 0);
}

static inline void finish(void) {
  evaio_base_free(aio);
  event_base_free(base);
  remove_scratch();
  libevent_global_shutdown();
}

static inline struct evaio_file *open_file(const char *path, int flags) {
  struct outcome outcome = {0};
  evaio_open(aio, NULL, path, flags, 0644, got_file, &outcome);
  CHECK(outcome.calls == 0);
  run();
  CHECK(outcome.calls == 1);
  CHECK(outcome.file != NULL);
  return outcome.file;
}

static inline void close_file(struct evaio_file *file) {
  struct outcome outcome = {0};
  evaio_close(file, got_result, &outcome);
  run();
  CHECK(outcome.calls == 1);
  CHECK(outcome.result == 0);
}

static inline bool has_bytes(struct evbuffer *data, const char *bytes) {
  size_t count = strlen(bytes);
  return evbuffer_get_length(data) == count
         && (count == 0 || memcmp(evbuffer_pullup(data, -1), bytes, count) == 0);
}

#endif
