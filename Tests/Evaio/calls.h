// Every call that takes a callback, for endings.c: how it is started, how it may end, and what it
// uses.
#ifndef CALLS_H
#define CALLS_H

#include "support.h"

#include <event2/bufferevent.h>
#include <semaphore.h>
#include <sys/socket.h>

static struct evaio_file *file, *log_file, *empty_pipe, *full_pipe, *big_file;
static struct bufferevent *stream;
static int sockets[2], other_sockets[2];
static struct evaio_dir *dir;
static int empty_end, full_end;
static sem_t may_end;
static int long_work_count;

// The call under test, and its result. It frees the memory of the call, as a program does.
struct call {
  evaio_id id;
  int calls;
  int code;
  char *memory;
  void (*in_callback)(void);
};

static void ended(struct call *call, const struct evaio_error *error) {
  call->calls += 1;
  call->code = error == NULL ? 0 : error->code;
  free(call->memory);
  call->memory = NULL;
  if (call->in_callback != NULL) call->in_callback();
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
static void start_close_after_a_read(struct call *call) {
  static char byte;
  evaio_read(empty_pipe, &byte, 1, 0, NULL, NULL, NULL);
  evaio_close(empty_pipe, ended_with_result, call);
  empty_pipe = NULL;
}
static void start_read(struct call *call) {
  call->memory = malloc(SIZE);
  call->id = evaio_read(file, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_readv(struct call *call) {
  call->memory = malloc(SIZE);
  struct iovec pieces[2] = {{call->memory, 10}, {call->memory + 10, SIZE - 10}};
  call->id = evaio_readv(file, pieces, 2, 0, NULL, ended_with_result, call);
}
static void start_read_buffer(struct call *call) {
  call->id = evaio_read_buffer(file, SIZE, 0, NULL, ended_with_data, call);
}
static void start_read_of_an_empty_pipe(struct call *call) {
  call->memory = malloc(SIZE);
  call->id = evaio_read(empty_pipe, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_read_with_a_timeout(struct call *call) {
  struct timeval time = {3600, 0};
  call->memory = malloc(SIZE);
  call->id = evaio_read(empty_pipe, call->memory, SIZE, 0, &time, ended_with_result, call);
}
static void start_readv_of_an_empty_pipe(struct call *call) {
  call->memory = malloc(SIZE);
  struct iovec pieces[2] = {{call->memory, 1}, {call->memory + 1, SIZE - 1}};
  call->id = evaio_readv(empty_pipe, pieces, 2, 0, NULL, ended_with_result, call);
}
static void start_read_buffer_of_an_empty_pipe(struct call *call) {
  call->id = evaio_read_buffer(empty_pipe, SIZE, 0, NULL, ended_with_data, call);
}
static void start_write(struct call *call) {
  call->memory = calloc(1, SIZE);
  call->id = evaio_write(file, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_writev(struct call *call) {
  call->memory = calloc(1, SIZE);
  struct iovec pieces[2] = {{call->memory, 10}, {call->memory + 10, SIZE - 10}};
  call->id = evaio_writev(file, pieces, 2, 0, NULL, ended_with_result, call);
}
static void start_write_buffer(struct call *call) {
  struct evbuffer *data = some_data();
  call->id = evaio_write_buffer(file, data, 0, NULL, ended_with_result, call);
  evbuffer_free(data);
}
static void start_write_buffer_to_a_full_pipe(struct call *call) {
  struct evbuffer *data = some_data();
  call->id = evaio_write_buffer(full_pipe, data, 0, NULL, ended_with_result, call);
  evbuffer_free(data);
}
static void start_write_to_a_full_pipe(struct call *call) {
  call->memory = calloc(1, SIZE);
  call->id = evaio_write(full_pipe, call->memory, SIZE, 0, NULL, ended_with_result, call);
}
static void start_append(struct call *call) {
  call->memory = calloc(1, SIZE);
  call->id = evaio_append(log_file, call->memory, SIZE, NULL, ended_with_result, call);
}
static void start_append_buffer(struct call *call) {
  struct evbuffer *data = some_data();
  call->id = evaio_append_buffer(log_file, data, NULL, ended_with_result, call);
  evbuffer_free(data);
}
static void start_sync(struct call *call) {
  evaio_write(file, "x", 1, 0, NULL, NULL, NULL);
  call->id = evaio_sync(file, NULL, ended_with_result, call);
}
static void start_datasync(struct call *call) {
  evaio_write(file, "x", 1, 0, NULL, NULL, NULL);
  call->id = evaio_datasync(file, NULL, ended_with_result, call);
}
static void start_refused_read(struct call *call) {
  call->id = evaio_read(file, NULL, 0, -1, NULL, ended_with_result, call);
}
// To sockets and bufferevents whose other end reads nothing.
static void start_send(struct call *call) {
  call->id = evaio_send(aio, big_file, 0, BIG_SIZE, sockets[0], ended_with_result, call);
}
static void start_send_bufferevent(struct call *call) {
  call->id = evaio_send_bufferevent(aio, big_file, 0, BIG_SIZE, stream, ended_with_result, call);
}
static void start_small_send(struct call *call) {
  call->id = evaio_send(aio, file, 0, SIZE, sockets[0], ended_with_result, call);
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
  call->id = evaio_read_file(aio, dir, "file", 10 * SIZE, ended_with_data, call);
}
static void start_replace_file(struct call *call) {
  struct evbuffer *data = some_data();
  call->id = evaio_replace_file(aio, NULL, "replaced", data, -1, ended_with_result, call);
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
  long_work_count += 1;
  evaio_offload(aio, long_work, ended_with_result, call);
}

// How a call may end, and how it is made.
enum {
  NEVER_ENDS = 1,  // by itself
  OF_FILE = 2,     // or of a directory: it may be made after the end
  IS_SENT = 4,     // so the other side may have to take it, and evaio_base_finish() cancels it
};

static const struct kind {
  const char *name;
  void (*start)(struct call *call);
  int traits;
  int own_code;  // the errno of its own result
} calls[] = {
    {"evaio_open", start_open, 0, 0},
    {"evaio_open from memory", start_open_from_memory, 0, 0},
    {"evaio_open_dir", start_open_dir, 0, 0},
    {"evaio_close", start_close, 0, 0},
    {"evaio_close after a read", start_close_after_a_read, NEVER_ENDS, 0},
    {"evaio_read", start_read, OF_FILE, 0},
    {"evaio_readv", start_readv, OF_FILE, 0},
    {"evaio_read_buffer", start_read_buffer, OF_FILE, 0},
    {"evaio_read of an empty pipe", start_read_of_an_empty_pipe, OF_FILE | NEVER_ENDS, 0},
    {"evaio_read with a timeout", start_read_with_a_timeout, OF_FILE | NEVER_ENDS, 0},
    {"evaio_readv of an empty pipe", start_readv_of_an_empty_pipe, OF_FILE | NEVER_ENDS, 0},
    {"evaio_read_buffer of an empty pipe", start_read_buffer_of_an_empty_pipe,
     OF_FILE | NEVER_ENDS, 0},
    {"evaio_write", start_write, OF_FILE, 0},
    {"evaio_writev", start_writev, OF_FILE, 0},
    {"evaio_write_buffer", start_write_buffer, OF_FILE, 0},
    {"evaio_write to a full pipe", start_write_to_a_full_pipe, OF_FILE | NEVER_ENDS, 0},
    {"evaio_write_buffer to a full pipe", start_write_buffer_to_a_full_pipe,
     OF_FILE | NEVER_ENDS, 0},
    {"evaio_append", start_append, OF_FILE, 0},
    {"evaio_append_buffer", start_append_buffer, OF_FILE, 0},
    {"evaio_sync", start_sync, OF_FILE, 0},
    {"evaio_datasync", start_datasync, OF_FILE, 0},
    {"a refused read", start_refused_read, OF_FILE, EINVAL},
    {"evaio_send", start_send, IS_SENT, 0},
    {"evaio_send of a small range", start_small_send, IS_SENT, 0},
    {"evaio_send_bufferevent", start_send_bufferevent, IS_SENT, 0},
    {"evaio_fstat", start_fstat, OF_FILE, 0},
    {"evaio_truncate", start_truncate, OF_FILE, 0},
    {"evaio_allocate", start_allocate, OF_FILE, 0},
    {"evaio_stat", start_stat, 0, 0},
    {"evaio_rename", start_rename, 0, ENOENT},
    {"evaio_unlink", start_unlink, 0, ENOENT},
    {"evaio_mkdir", start_mkdir, 0, EEXIST},
    {"evaio_list", start_list, OF_FILE, 0},
    {"evaio_read_file", start_read_file, 0, 0},
    {"evaio_replace_file", start_replace_file, 0, 0},
    {"evaio_offload", start_offload, 0, 0},
    {"evaio_offload of long work", start_long_offload, NEVER_ENDS, 0},
};

#endif
