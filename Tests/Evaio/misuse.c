// Bugs of the program end the process with a sentence, and arguments out of range do not.
#include "support.h"

#include <event2/bufferevent.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct evaio_file *file;
static struct evaio_dir *dir;
static struct evaio_base *other_aio;

static void no_work(void *arg) { (void)arg; }

static void got_list(
    const struct evaio_entry *entries, size_t count, const struct evaio_error *error, void *arg) {
  (void)entries;
  struct outcome *outcome = arg;
  keep_error(outcome, error);
  outcome->entry_count = count;
}

static struct evaio_dir *open_dir(void) {
  struct outcome outcome = {0};
  evaio_open_dir(aio, NULL, ".", got_dir, &outcome);
  run();
  CHECK(outcome.dir != NULL);
  return outcome.dir;
}

// ---- Sentences

static void write_no_buffer(void) { evaio_write_buffer(file, NULL, 0, NULL, NULL, NULL); }
static void replace_with_no_buffer(void) {
  evaio_replace_file(aio, NULL, "file", NULL, -1, NULL, NULL);
}
static void open_no_path(void) { evaio_open(aio, NULL, NULL, O_RDONLY, 0, got_file, NULL); }
static void open_no_callback(void) { evaio_open(aio, NULL, "file", O_RDONLY, 0, NULL, NULL); }
static void attach_to_nothing(void) { evaio_base_new(NULL, NULL); }
static void send_to_no_bufferevent(void) {
  evaio_send_bufferevent(aio, file, 0, 1, NULL, NULL, NULL);
}

static void free_again(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  evaio_base_free(aio);
}
static void free_in_a_free(void) {
  evaio_sync(file, NULL, free_again, NULL);
  evaio_base_free(aio);
}
static void free_in_a_finish(void) {
  evaio_sync(file, NULL, free_again, NULL);
  evaio_base_finish(aio);
}
static void finish_in(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  evaio_base_finish(aio);
}
static void finish_in_a_callback(void) {
  evaio_sync(file, NULL, finish_in, NULL);
  run();
}

static void use_a_foreign_file(void) { evaio_send(other_aio, file, 0, 1, 1, NULL, NULL); }
static void use_a_foreign_dir(void) {
  evaio_open(other_aio, dir, "file", O_RDONLY, 0, got_file, NULL);
}
static void use_a_foreign_dir_for_a_file(void) {
  evaio_read_file(other_aio, dir, "file", 1, got_data, NULL);
}
static void use_a_foreign_bufferevent(void) {
  struct event_base *foreign = event_base_new();
  struct bufferevent *stream = bufferevent_socket_new(foreign, -1, 0);
  evaio_send_bufferevent(aio, file, 0, 1, stream, NULL, NULL);
}

static void (*on_another_thread)(void);
static void *run_there(void *arg) {
  on_another_thread();
  return arg;
}
static void in_a_thread(void (*call)(void)) {
  pthread_t thread;
  on_another_thread = call;
  CHECK(pthread_create(&thread, NULL, run_there, NULL) == 0);
  pthread_join(thread, NULL);
}
static void free_it(void) { evaio_base_free(aio); }
static void get_its_base(void) { evaio_base_get_event_base(aio); }
static void close_the_dir(void) { evaio_close_dir(dir); }
static void close_the_file(void) { evaio_close(file, NULL, NULL); }
static void cancel(void) { evaio_cancel(aio, 1); }
static void offload(void) { evaio_offload(aio, no_work, NULL, NULL); }
static void free_elsewhere(void) { in_a_thread(free_it); }
static void get_elsewhere(void) { in_a_thread(get_its_base); }
static void close_dir_elsewhere(void) { in_a_thread(close_the_dir); }
static void close_elsewhere(void) { in_a_thread(close_the_file); }
static void cancel_elsewhere(void) { in_a_thread(cancel); }
static void offload_elsewhere(void) { in_a_thread(offload); }

// A child of the process that has attached.
static void in_a_child(void (*call)(void)) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    call();
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) raise(SIGKILL);
}
static void read_it(void) {
  char byte;
  evaio_read(file, &byte, 1, 0, NULL, NULL, NULL);
}
static void stat_it(void) { evaio_stat(aio, NULL, "file", 0, got_status, NULL); }
static void finish_it(void) { evaio_base_finish(aio); }
static void read_in_a_child(void) { in_a_child(read_it); }
static void stat_in_a_child(void) { in_a_child(stat_it); }
static void cancel_in_a_child(void) { in_a_child(cancel); }
static void finish_in_a_child(void) { in_a_child(finish_it); }

static const struct {
  void (*call)(void);
  const char *sentence;
} bugs[] = {
    {write_no_buffer, "evaio_write_buffer: the data is NULL"},
    {replace_with_no_buffer, "evaio_replace_file: the data is NULL"},
    {open_no_path, "evaio_open: the path is NULL"},
    {open_no_callback, "evaio_open: the callback is NULL"},
    {attach_to_nothing, "evaio_base_new: the base is NULL"},
    {send_to_no_bufferevent, "evaio_send_bufferevent: the bufferevent is NULL"},
    {free_in_a_free, "evaio_base_free: the evaio base is already being freed"},
    {free_in_a_finish, "evaio_base_free: the evaio base is already being freed"},
    {finish_in_a_callback, "a callback must not close its loop"},
    {use_a_foreign_file, "evaio_send: the file belongs to another evaio base"},
    {use_a_foreign_dir, "evaio_open: the directory belongs to another evaio base"},
    {use_a_foreign_dir_for_a_file, "evaio_read_file: the directory belongs to another evaio base"},
    {use_a_foreign_bufferevent, "the bufferevent is of another event base"},
    {free_elsewhere, "off its thread"},
    {get_elsewhere, "off its thread"},
    {close_dir_elsewhere, "off its thread"},
    {close_elsewhere, "off its thread"},
    {cancel_elsewhere, "off its thread"},
    {offload_elsewhere, "off its thread"},
    {read_in_a_child, "off its thread"},
    {stat_in_a_child, "off its thread"},
    {cancel_in_a_child, "off its thread"},
    {finish_in_a_child, "off its thread"},
};

static void attach(void) {
  base = event_base_new();
  aio = evaio_base_new(base, NULL);
  other_aio = evaio_base_new(base, NULL);
  CHECK(aio != NULL && other_aio != NULL);
  file = open_file("file", O_RDWR | O_CREAT);
  dir = open_dir();
}

// In a child, since the process ends. The parent has not attached yet.
static void a_bug_ends_the_process_with_a_sentence(void (*call)(void), const char *sentence) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(DEADLINE_SECONDS);
    attach();
    dup2(ends[1], STDERR_FILENO);
    call();
    _exit(0);
  }
  close(ends[1]);
  char said[65536];
  size_t count = 0;
  ssize_t piece;
  while ((piece = read(ends[0], said + count, sizeof said - 1 - count)) > 0) count += (size_t)piece;
  said[count] = 0;
  close(ends[0]);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  if (strstr(said, sentence) == NULL || !WIFSIGNALED(status)) {
    fprintf(stderr, "expected: %s\nsaid: %s\n", sentence, said);
  }
  CHECK(strstr(said, sentence) != NULL && WIFSIGNALED(status));
}

// ---- Arguments

static void a_size_without_memory_is_refused(void) {
  struct outcome read = {0}, pieces = {0};
  char byte;
  struct iovec two[] = {{&byte, 1}, {&byte, SSIZE_MAX - 1}};
  CHECK(evaio_read_buffer(file, SSIZE_MAX, 0, NULL, got_data, &read) == 0);
  CHECK(evaio_readv(file, two, 2, 0, NULL, got_result, &pieces) == 0);
  run();
  CHECK(read.calls == 1 && read.error.code == ENOMEM);
  CHECK(pieces.calls == 1 && pieces.error.code == ENOMEM);
}

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }
#else
// AddressSanitizer needs more addresses than the limit.
static void a_file_without_memory_is_refused(void) {
  struct outcome read = {0};
  int descriptor = open("large", O_WRONLY | O_CREAT, 0600);
  int64_t size = (int64_t)1 << 43;
  // Not every file system has files that large.
  bool is_large = ftruncate(descriptor, size) == 0;
  close(descriptor);
  struct rlimit limit, small;
  getrlimit(RLIMIT_AS, &limit);
  small = limit;
  small.rlim_cur = (rlim_t)1 << 42;
  if (is_large && setrlimit(RLIMIT_AS, &small) == 0) {
    evaio_read_file(aio, NULL, "large", SIZE_MAX, got_data, &read);
    run();
    CHECK(read.calls == 1 && read.error.code == ENOMEM);
    setrlimit(RLIMIT_AS, &limit);
  }
  unlink("large");
}
#endif

static void the_largest_size_is_no_limit(void) {
  struct outcome read = {0}, list = {0}, none = {0};
  evaio_read_file(aio, NULL, "file", SIZE_MAX, got_data, &read);
  evaio_list(dir, SIZE_MAX, got_list, &list);
  evaio_list(dir, 0, got_list, &none);
  run();
  CHECK(read.calls == 1 && read.data != NULL);
  CHECK(list.calls == 1 && list.error.code == 0 && list.entry_count == 1);
  CHECK(none.calls == 1 && none.error.code == EINVAL);
  evbuffer_free(read.data);

  struct evaio_error error = {.code = EIO, .operation = "read", .path = "x", .offset = -1};
  char line[100] = "?";
  CHECK(evaio_error_format(&error, line, SIZE_MAX) == 28);
  CHECK(strcmp(line, "read \"x\": Input/output error") == 0);
}

int main(void) {
  alarm(DEADLINE_SECONDS);
  CHECK(mkdtemp(scratch) != NULL && chdir(scratch) == 0);
  for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
    a_bug_ends_the_process_with_a_sentence(bugs[i].call, bugs[i].sentence);
  }
  attach();
  a_size_without_memory_is_refused();
  the_largest_size_is_no_limit();
#ifndef __SANITIZE_ADDRESS__
  a_file_without_memory_is_refused();
#endif
  evaio_close_dir(dir);
  close_file(file);
  evaio_base_free(other_aio);
  finish();
  return 0;
}
