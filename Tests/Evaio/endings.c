// Crosses every call that takes a callback with every way to detach: one callback each, and no
// memory of the caller's is used after it.
#include "support.h"

#include <event2/bufferevent.h>
#include <semaphore.h>
#include <sys/socket.h>

static struct evaio_file *file, *log_file, *empty_pipe, *full_pipe, *big_file;
static struct bufferevent *stream;
static int sockets[2], other_sockets[2];
static struct evaio_dir *dir;
static int pipe_ends[2], full_ends[2];
static sem_t may_end;

// The result of the call under test. It frees the memory of the call, as a program does.
struct call {
  int calls;
  int code;
  char *memory;
};

static void ended(struct call *call, const struct evaio_error *error) {
  call->calls += 1;
  call->code = error == NULL ? 0 : error->code;
  free(call->memory);
  call->memory = NULL;
}

static void ended_with_result(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result;
  ended(arg, error);
}

static void ended_with_file(
    struct evaio_file *opened, const struct evaio_error *error, void *arg) {
  ended(arg, error);
  if (opened != NULL) evaio_close(opened, NULL, NULL);
}

static void ended_with_dir(struct evaio_dir *opened, const struct evaio_error *error, void *arg) {
  ended(arg, error);
  if (opened != NULL) evaio_close_dir(opened);
}

static void ended_with_data(struct evbuffer *data, const struct evaio_error *error, void *arg) {
  (void)data;
  ended(arg, error);
}

static void ended_with_status(
    const struct stat *status, const struct evaio_error *error, void *arg) {
  (void)status;
  ended(arg, error);
}

static void ended_with_list(
    const struct evaio_entry *entries, size_t count, const struct evaio_error *error, void *arg) {
  (void)entries, (void)count;
  ended(arg, error);
}

enum { SIZE = 100000, BIG_SIZE = 8 * 1024 * 1024 };

static struct evbuffer *some_data(void) {
  struct evbuffer *data = evbuffer_new();
  char *bytes = calloc(1, SIZE);
  evbuffer_add(data, bytes, SIZE);
  free(bytes);
  return data;
}

static void start_open(struct call *call) {
  evaio_open(aio, dir, "file", O_RDONLY, 0, ended_with_file, call);
}
static void start_open_from_memory(struct call *call) {
  evaio_open(aio, dir, "file", O_RDONLY | O_NONBLOCK, 0, ended_with_file, call);
}
static void start_open_dir(struct call *call) {
  evaio_open_dir(aio, NULL, ".", ended_with_dir, call);
}
static void start_close(struct call *call) {
  evaio_close(file, ended_with_result, call);
  file = NULL;
}
static void start_close_behind_a_read(struct call *call) {
  evaio_read(empty_pipe, NULL, 0, 0, NULL, NULL, NULL);
  evaio_close(empty_pipe, ended_with_result, call);
  empty_pipe = NULL;
}
static void start_read(struct call *call) {
  call->memory = malloc(SIZE);
  evaio_read(file, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_readv(struct call *call) {
  call->memory = malloc(SIZE);
  struct iovec pieces[2] = {{call->memory, 10}, {call->memory + 10, SIZE - 10}};
  evaio_readv(file, pieces, 2, 0, NULL, ended_with_result, call);
}
static void start_read_buffer(struct call *call) {
  evaio_read_buffer(file, SIZE, 0, NULL, ended_with_data, call);
}
static void start_read_of_an_empty_pipe(struct call *call) {
  call->memory = malloc(SIZE);
  evaio_read(empty_pipe, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_read_with_a_timeout(struct call *call) {
  struct timeval time = {3600, 0};
  call->memory = malloc(SIZE);
  evaio_read(empty_pipe, call->memory, SIZE, 0, &time, ended_with_result, call);
}
static void start_read_buffer_of_an_empty_pipe(struct call *call) {
  evaio_read_buffer(empty_pipe, SIZE, 0, NULL, ended_with_data, call);
}
static void start_write(struct call *call) {
  call->memory = calloc(1, SIZE);
  evaio_write(file, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_writev(struct call *call) {
  call->memory = calloc(1, SIZE);
  struct iovec pieces[2] = {{call->memory, 10}, {call->memory + 10, SIZE - 10}};
  evaio_writev(file, pieces, 2, 0, NULL, ended_with_result, call);
}
static void start_write_buffer(struct call *call) {
  struct evbuffer *data = some_data();
  evaio_write_buffer(file, data, 0, NULL, ended_with_result, call);
  evbuffer_free(data);
}
static void start_write_to_a_full_pipe(struct call *call) {
  struct evbuffer *data = some_data();
  evaio_write_buffer(full_pipe, data, 0, NULL, ended_with_result, call);
  evbuffer_free(data);
}
static void start_append(struct call *call) {
  call->memory = calloc(1, SIZE);
  evaio_append(log_file, call->memory, SIZE, NULL, ended_with_result, call);
}
static void start_append_buffer(struct call *call) {
  struct evbuffer *data = some_data();
  evaio_append_buffer(log_file, data, NULL, ended_with_result, call);
  evbuffer_free(data);
}
static void start_sync(struct call *call) {
  evaio_write(file, "x", 1, 0, NULL, NULL, NULL);
  evaio_sync(file, NULL, ended_with_result, call);
}
static void start_datasync(struct call *call) {
  evaio_write(file, "x", 1, 0, NULL, NULL, NULL);
  evaio_datasync(file, NULL, ended_with_result, call);
}
static void start_refused_read(struct call *call) {
  evaio_read(file, NULL, 0, -1, NULL, ended_with_result, call);
}
// To sockets and bufferevents whose other end reads nothing.
static void start_send(struct call *call) {
  evaio_send(aio, big_file, 0, BIG_SIZE, sockets[0], ended_with_result, call);
}
static void start_send_bufferevent(struct call *call) {
  evaio_send_bufferevent(aio, big_file, 0, BIG_SIZE, stream, ended_with_result, call);
}
static void start_small_send(struct call *call) {
  evaio_send(aio, file, 0, SIZE, sockets[0], ended_with_result, call);
}
static void start_fstat(struct call *call) { evaio_fstat(file, ended_with_status, call); }
static void start_truncate(struct call *call) {
  evaio_truncate(file, SIZE, ended_with_result, call);
}
static void start_allocate(struct call *call) {
  evaio_allocate(file, 0, 0, SIZE, ended_with_result, call);
}
static void start_stat(struct call *call) {
  evaio_stat(aio, dir, "file", 0, ended_with_status, call);
}
static void start_rename(struct call *call) {
  evaio_rename(aio, NULL, "none", "other", 0, ended_with_result, call);
}
static void start_unlink(struct call *call) {
  evaio_unlink(aio, NULL, "none", 0, ended_with_result, call);
}
static void start_mkdir(struct call *call) {
  evaio_mkdir(aio, dir, "file", 0755, ended_with_result, call);
}
static void start_list(struct call *call) { evaio_list(dir, 1000, ended_with_list, call); }
static void start_read_file(struct call *call) {
  evaio_read_file(aio, dir, "file", 10 * SIZE, ended_with_data, call);
}
static void start_replace_file(struct call *call) {
  struct evbuffer *data = some_data();
  evaio_replace_file(aio, NULL, "replaced", data, -1, ended_with_result, call);
  evbuffer_free(data);
}

static void no_work(void *arg) { (void)arg; }
static void start_offload(struct call *call) {
  evaio_offload(aio, no_work, ended_with_result, call);
}

// Uses no argument, which may be gone when it ends.
static void long_work(void *arg) {
  (void)arg;
  while (sem_wait(&may_end) != 0) {}
}
static void start_long_offload(struct call *call) {
  evaio_offload(aio, long_work, ended_with_result, call);
}

static const struct {
  const char *name;
  void (*start)(struct call *call);
  bool never_ends;  // by itself
} calls[] = {
    {"evaio_open", start_open, false},
    {"evaio_open from memory", start_open_from_memory, false},
    {"evaio_open_dir", start_open_dir, false},
    {"evaio_close", start_close, false},
    {"evaio_close behind a read", start_close_behind_a_read, true},
    {"evaio_read", start_read, false},
    {"evaio_readv", start_readv, false},
    {"evaio_read_buffer", start_read_buffer, false},
    {"evaio_read of an empty pipe", start_read_of_an_empty_pipe, true},
    {"evaio_read with a timeout", start_read_with_a_timeout, true},
    {"evaio_read_buffer of an empty pipe", start_read_buffer_of_an_empty_pipe, true},
    {"evaio_write", start_write, false},
    {"evaio_writev", start_writev, false},
    {"evaio_write_buffer", start_write_buffer, false},
    {"evaio_write_buffer to a full pipe", start_write_to_a_full_pipe, true},
    {"evaio_append", start_append, false},
    {"evaio_append_buffer", start_append_buffer, false},
    {"evaio_sync", start_sync, false},
    {"evaio_datasync", start_datasync, false},
    {"a refused read", start_refused_read, false},
    {"evaio_send", start_send, false},
    {"evaio_send of nothing", start_small_send, false},
    {"evaio_send_bufferevent", start_send_bufferevent, false},
    {"evaio_fstat", start_fstat, false},
    {"evaio_truncate", start_truncate, false},
    {"evaio_allocate", start_allocate, false},
    {"evaio_stat", start_stat, false},
    {"evaio_rename", start_rename, false},
    {"evaio_unlink", start_unlink, false},
    {"evaio_mkdir", start_mkdir, false},
    {"evaio_list", start_list, false},
    {"evaio_read_file", start_read_file, false},
    {"evaio_replace_file", start_replace_file, false},
    {"evaio_offload", start_offload, false},
    {"evaio_offload of long work", start_long_offload, true},
};

static struct call current;
static void (*start)(struct call *call);

static void free_evaio(void) {
  evaio_base_free(aio);
  aio = NULL;
}

static void free_at_once(void) {
  start(&current);
  CHECK(current.calls == 0);
  free_evaio();
}

static void free_after_a_turn(void) {
  start(&current);
  CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
  free_evaio();
}

static void finish_when_it_has_ended(void) {
  start(&current);
  evaio_base_finish(aio);
  aio = NULL;
}

static void free_in_own_callback(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  start(&current);
  free_evaio();
  // Only when this callback returns.
  CHECK(current.calls == 0);
}

static void free_in_a_callback(void) {
  evaio_sync(log_file, NULL, free_in_own_callback, NULL);
  run();
}

static void free_in_a_timer(evutil_socket_t descriptor, short events, void *arg) {
  (void)descriptor, (void)events, (void)arg;
  start(&current);
  free_evaio();
  CHECK(current.calls == 1);
}

static void free_in_a_foreign_callback(void) {
  struct timeval soon = {0, 0};
  event_base_once(base, -1, EV_TIMEOUT, free_in_a_timer, NULL, &soon);
  run();
}

static const struct {
  const char *name;
  void (*end)(void);
  bool waits;
} ends[] = {
    {"evaio_base_free", free_at_once, false},
    {"evaio_base_free after a turn", free_after_a_turn, false},
    {"evaio_base_free in a callback", free_in_a_callback, false},
    {"evaio_base_free in a foreign callback", free_in_a_foreign_callback, false},
    {"evaio_base_finish", finish_when_it_has_ended, true},
};

static void set_up(void) {
  attach_for_a_quick_end();
  file = open_file("file", O_RDWR | O_CREAT);
  log_file = open_file("log", O_WRONLY | O_CREAT | O_APPEND | O_TRUNC);
  empty_pipe = open_file("empty", O_RDWR);
  full_pipe = open_file("full", O_RDWR);
  pipe_ends[1] = open("empty", O_RDWR);
  full_ends[0] = open("full", O_RDWR | O_NONBLOCK);
  big_file = open_file("big", O_RDONLY);
  int kind = SOCK_STREAM | SOCK_NONBLOCK;
  CHECK(socketpair(AF_UNIX, kind, 0, sockets) == 0);
  CHECK(socketpair(AF_UNIX, kind, 0, other_sockets) == 0);
  stream = bufferevent_socket_new(base, other_sockets[0], 0);
  struct outcome outcome = {0};
  evaio_open_dir(aio, NULL, ".", got_dir, &outcome);
  run();
  dir = outcome.dir;
}

static int closed_count;

static void closed(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  closed_count += 1;
}

static void tear_down(void) {
  struct evaio_file *files[] = {file, log_file, empty_pipe, full_pipe, big_file};
  for (int i = 0; i < 5; i++) {
    if (files[i] == NULL) continue;
    closed_count = 0;
    evaio_close(files[i], closed, NULL);
    CHECK(closed_count == 1);
  }
  evaio_close_dir(dir);
  // Ends what the kernel still does.
  char bytes[SIZE] = {0};
  CHECK(write(pipe_ends[1], bytes, 1) == 1);
  while (read(full_ends[0], bytes, sizeof bytes) > 0) {}
  bufferevent_free(stream);
  for (int i = 0; i < 2; i++) {
    close(sockets[i]);
    close(other_sockets[i]);
  }
  close(pipe_ends[1]);
  close(full_ends[0]);
  sem_post(&may_end);
}

int main(void) {
  begin();
  evaio_base_free(aio);
  CHECK(mkfifo("empty", 0600) == 0 && mkfifo("full", 0600) == 0);
  int big = open("big", O_WRONLY | O_CREAT, 0600);
  CHECK(ftruncate(big, BIG_SIZE) == 0);
  close(big);
  CHECK(sem_init(&may_end, 0, 0) == 0);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    for (size_t j = 0; j < sizeof ends / sizeof *ends; j++) {
      if (calls[i].never_ends && ends[j].waits) continue;
      if (getenv("VERBOSE") != NULL) fprintf(stderr, "%s, %s\n", calls[i].name, ends[j].name);
      set_up();
      current = (struct call){0};
      start = calls[i].start;
      ends[j].end();
      if (current.calls != 1) {
        fprintf(stderr, "%s, %s: %d callbacks\n", calls[i].name, ends[j].name, current.calls);
      }
      CHECK(current.calls == 1);
      // Only the bufferevent's.
      bufferevent_disable(stream, EV_READ | EV_WRITE);
      CHECK(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 0);
      tear_down();
      CHECK(current.calls == 1);
    }
  }
  event_base_free(base);
  remove_scratch();
  libevent_global_shutdown();
  return 0;
}
