// Reads, writes, appends and syncs: their results, their errors, and the memory.
#include "support.h"

#include <poll.h>

static void a_write_is_read_back_when_it_has_completed(void) {
  struct evaio_file *file = open_file("a", O_RDWR | O_CREAT);
  struct outcome written = {0}, synced = {0}, read = {0};
  char bytes[] = "hello, world";
  CHECK(evaio_write(file, bytes, 12, 0, NULL, got_result, &written) != 0);
  // The bytes were copied.
  memset(bytes, 'x', sizeof bytes);
  CHECK(evaio_sync(file, NULL, got_result, &synced) != 0);
  CHECK(written.calls == 0 && synced.calls == 0);
  run();
  CHECK(written.calls == 1 && written.result == 12);
  CHECK(synced.calls == 1 && synced.result == 0);
  CHECK(evaio_datasync(file, NULL, got_result, &synced) != 0);
  char memory[32] = "";
  CHECK(evaio_read(file, memory, sizeof memory, 7, NULL, got_result, &read) != 0);
  CHECK(read.calls == 0);
  run();
  CHECK(read.calls == 1 && read.result == 5);
  CHECK(strcmp(memory, "world") == 0);
  CHECK(synced.calls == 2 && synced.result == 0);
  read = (struct outcome){0};
  evaio_read(file, memory, sizeof memory, 12, NULL, got_result, &read);
  run();
  CHECK(read.calls == 1 && read.result == 0);
  close_file(file);
}

static void pieces_are_read_and_written_one_after_the_other(void) {
  struct evaio_file *file = open_file("v", O_RDWR | O_CREAT);
  struct outcome written = {0}, read = {0};
  struct iovec out[] = {{"one", 3}, {NULL, 0}, {"four", 4}};
  evaio_writev(file, out, 3, 1, NULL, got_result, &written);
  run();
  CHECK(written.result == 7);
  char first[3] = {'-', '-', '-'}, second[3] = {'-', '-', '-'}, third[4] = {'-', '-', '-', '-'};
  struct iovec in[] = {{first, 3}, {second, 3}, {third, 4}};
  evaio_readv(file, in, 3, 0, NULL, got_result, &read);
  memset(in, 0, sizeof in);
  run();
  CHECK(read.calls == 1 && read.result == 8);
  CHECK(memcmp(first, "\0on", 3) == 0);
  CHECK(memcmp(second, "efo", 3) == 0);
  CHECK(memcmp(third, "ur--", 4) == 0);
  close_file(file);
}

static void appends_keep_their_order(void) {
  struct evaio_file *file = open_file("log", O_WRONLY | O_CREAT | O_APPEND);
  struct evaio_file *other = open_file("log", O_RDWR);
  struct outcome outcomes[20] = {0}, read = {0}, refused = {0}, buffered = {0};
  for (int i = 0; i < 20; i++) {
    char byte = (char)('a' + i);
    evaio_append(file, &byte, 1, NULL, got_result, &outcomes[i]);
  }
  struct evbuffer *data = evbuffer_new();
  evbuffer_add(data, "!", 1);
  evaio_append_buffer(file, data, NULL, got_result, &buffered);
  CHECK(evbuffer_get_length(data) == 0);
  CHECK(evaio_append(other, "x", 1, NULL, got_result, &refused) == 0);
  CHECK(refused.calls == 0);
  run();
  for (int i = 0; i < 20; i++) CHECK(outcomes[i].calls == 1 && outcomes[i].result == 1);
  CHECK(buffered.calls == 1 && buffered.result == 1);
  CHECK(refused.calls == 1 && refused.error.code == EINVAL);
  char memory[32] = "";
  evaio_read(other, memory, sizeof memory, 0, NULL, got_result, &read);
  run();
  CHECK(strcmp(memory, "abcdefghijklmnopqrst!") == 0);
  evbuffer_free(data);
  close_file(other);
  close_file(file);
}

static void released(const void *memory, size_t size, void *arg) {
  (void)memory;
  *(size_t *)arg += size;
}

static void a_buffers_memory_is_written_without_a_copy(void) {
  struct evaio_file *file = open_file("b", O_RDWR | O_CREAT);
  struct outcome written = {0}, read = {0};
  static char bytes[100000];
  memset(bytes, 'a', sizeof bytes);
  size_t released_count = 0;
  struct evbuffer *data = evbuffer_new();
  evbuffer_add_reference(data, bytes, sizeof bytes, released, &released_count);
  CHECK(evaio_write_buffer(file, data, 0, NULL, got_result, &written) != 0);
  CHECK(evbuffer_get_length(data) == 0);
  // Before it runs, so that a copy would not have it.
  bytes[0] = 'A';
  CHECK(released_count == 0);
  run();
  CHECK(written.calls == 1 && written.result == sizeof bytes);
  CHECK(released_count == sizeof bytes);
  CHECK(evaio_read_buffer(file, 200000, 0, NULL, got_data, &read) != 0);
  run();
  CHECK(read.calls == 1 && evbuffer_get_length(read.data) == sizeof bytes);
  CHECK(memcmp(evbuffer_pullup(read.data, -1), bytes, sizeof bytes) == 0);
  evbuffer_free(read.data);

  // In pieces, which are joined.
  for (int i = 0; i < 3; i++) evbuffer_add_reference(data, "piece", 5, NULL, NULL);
  evaio_write_buffer(file, data, 0, NULL, got_result, &written);
  run();
  CHECK(written.calls == 2 && written.result == 15);
  evaio_read_buffer(file, 16, 0, NULL, got_data, &read);
  run();
  CHECK(has_bytes(read.data, "piecepiecepiecea"));
  evbuffer_free(read.data);
  evbuffer_free(data);
  close_file(file);
}

static void refuses(struct evaio_file *file, struct evaio_file *log, struct evbuffer *data) {
  struct outcome written = {0}, appended = {0}, replaced = {0};
  size_t size = evbuffer_get_length(data);
  CHECK(evaio_write_buffer(file, data, 0, NULL, got_result, &written) == 0);
  CHECK(evaio_append_buffer(log, data, NULL, got_result, &appended) == 0);
  CHECK(evaio_replace_file(aio, NULL, "part", data, -1, got_result, &replaced) == 0);
  run();
  CHECK(written.calls == 1 && written.error.code == EINVAL);
  CHECK(appended.calls == 1 && appended.error.code == EINVAL);
  CHECK(replaced.calls == 1 && replaced.error.code == EINVAL);
  CHECK(evbuffer_get_length(data) == size);
}

// libevent has no address for a part that it would send by sendfile(2), and maps the others.
static void parts_of_files_and_of_other_buffers_are_refused_and_stay(void) {
  struct evaio_file *file = open_file("part", O_RDWR | O_CREAT | O_TRUNC);
  struct evaio_file *log = open_file("part.log", O_WRONLY | O_CREAT | O_APPEND);
  struct outcome written = {0}, read = {0};
  evaio_write(file, "content", 7, 0, NULL, got_result, &written);
  run();
  for (int i = 0; i < 8; i++) {
    struct evbuffer *data = evbuffer_new();
    if (i & 1) evbuffer_set_flags(data, EVBUFFER_FLAG_DRAINS_TO_FD);
    if (i & 2) evbuffer_add(data, "head", 4);
    CHECK(evbuffer_add_file(data, open("part", O_RDONLY), i & 4 ? 3 : 0, 4) == 0);
    refuses(file, log, data);
    evbuffer_free(data);
  }
  struct evbuffer *owner = evbuffer_new(), *data = evbuffer_new();
  evbuffer_add(owner, "shared", 6);
  evbuffer_add_buffer_reference(data, owner);
  refuses(file, log, data);
  CHECK(has_bytes(data, "shared"));
  // The owner's are its own once the other is gone.
  evbuffer_free(data);
  evaio_write_buffer(file, owner, 7, NULL, got_result, &written);
  CHECK(evbuffer_get_length(owner) == 0);
  evbuffer_free(owner);
  run();
  evaio_read_buffer(file, 100, 0, NULL, got_data, &read);
  run();
  CHECK(has_bytes(read.data, "contentshared"));
  evbuffer_free(read.data);
  close_file(file);
  close_file(log);
}

static void a_read_that_misses_the_page_cache_gets_the_same_bytes(void) {
  enum { SIZE = 3 * 1024 * 1024 };
  struct evaio_file *file = open_file("cold", O_RDWR | O_CREAT);
  struct outcome written = {0}, synced = {0}, reads[16] = {0};
  unsigned char *bytes = malloc(SIZE), *memory = calloc(1, SIZE + 1);
  for (int i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i * 7 + i / 4096);
  evaio_write(file, bytes, SIZE, 0, NULL, got_result, &written);
  evaio_sync(file, NULL, got_result, &synced);
  run();
  CHECK(written.result == SIZE && synced.result == 0);
  int descriptor = open("cold", O_RDONLY);
  CHECK(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0);
  close(descriptor);
  // Many at once, at no particular alignment, and the last one beyond the end.
  for (int i = 0; i < 16; i++) {
    size_t start = (size_t)i * (SIZE / 16);
    size_t size = i == 15 ? SIZE / 16 + 1 : SIZE / 16;
    evaio_read(file, memory + start, size, (int64_t)start, NULL, got_result, &reads[i]);
  }
  run();
  for (int i = 0; i < 16; i++) CHECK(reads[i].calls == 1 && reads[i].result == SIZE / 16);
  CHECK(memcmp(memory, bytes, SIZE) == 0 && memory[SIZE] == 0);
  close_file(file);
  // Without the page cache, which needs aligned memory, and the library has it.
  struct outcome opened = {0}, direct = {0};
  evaio_open(aio, NULL, "cold", O_RDONLY | O_DIRECT, 0, got_file, &opened);
  run();
  if (opened.file != NULL) {
    memset(memory, 0, SIZE);
    evaio_read(opened.file, memory + 1, SIZE, 0, NULL, got_result, &direct);
    run();
    CHECK(direct.result == SIZE);
    CHECK(memory[0] == 0 && memcmp(memory + 1, bytes, SIZE) == 0);
    close_file(opened.file);
  } else {
    CHECK(opened.error.code == EINVAL);
  }
  free(memory);
  free(bytes);
}

static void an_error_says_what_failed(void) {
  struct evaio_file *file = open_file("a", O_RDONLY);
  struct outcome outcome = {0};
  CHECK(evaio_write(file, "x", 1, 4096, NULL, got_result, &outcome) != 0);
  run();
  CHECK(outcome.calls == 1 && outcome.result == -1);
  CHECK(outcome.error.code == EBADF && outcome.error.offset == 4096);
  CHECK(strcmp(outcome.line, "write \"a\" at 4096: Bad file descriptor") == 0);
  char line[8];
  struct evaio_error error = {.code = ENOSPC, .operation = "write", .path = "p", .offset = -1};
  CHECK(evaio_error_format(&error, line, sizeof line) == 34);
  CHECK(strcmp(line, "write \"") == 0);
  CHECK(evaio_error_format(&error, NULL, 0) == 34);
  outcome = (struct outcome){0};
  evaio_open(aio, NULL, "none", O_RDONLY, 0, got_file, &outcome);
  run();
  CHECK(outcome.calls == 1 && outcome.error.code == ENOENT && outcome.error.offset == -1);
  CHECK(strcmp(outcome.line, "open \"none\": No such file or directory") == 0);
  close_file(file);
}

static void a_call_that_is_not_accepted_gets_its_error_from_the_base(void) {
  struct evaio_file *file = open_file("a", O_RDWR);
  struct outcome outcomes[8] = {0};
  struct timeval negative = {-1, 0}, none = {0, 0}, odd = {0, 1000000};
  char byte;
  CHECK(evaio_read(file, &byte, 1, -1, NULL, got_result, &outcomes[0]) == 0);
  CHECK(evaio_read(file, &byte, 1, 0, &negative, got_result, &outcomes[1]) == 0);
  CHECK(evaio_write(file, &byte, 1, 0, &none, got_result, &outcomes[2]) == 0);
  // A write that was refused may not be reported as durable.
  CHECK(evaio_sync(file, NULL, got_result, &outcomes[3]) == 0);
  CHECK(evaio_sync(file, &odd, got_result, &outcomes[4]) == 0);
  CHECK(evaio_readv(file, NULL, 1025, 0, NULL, got_result, &outcomes[5]) == 0);
  CHECK(evaio_write(file, &byte, (size_t)SSIZE_MAX + 1, 0, NULL, got_result, &outcomes[6]) == 0);
  CHECK(evaio_read_buffer(file, 1, -1, NULL, got_data, &outcomes[7]) == 0);
  for (int i = 0; i < 8; i++) CHECK(outcomes[i].calls == 0);
  run();
  for (int i = 0; i < 8; i++) CHECK(outcomes[i].calls == 1 && outcomes[i].error.code == EINVAL);
  // Callbacks are optional where only the result is lost.
  evaio_sync(file, NULL, NULL, NULL);
  run();
  close_file(file);
}

// A file whose reads wait for as long as nothing is written to the other end.
static struct evaio_file *open_pipe(int *writer) {
  CHECK(mkfifo("pipe", 0600) == 0);
  struct outcome outcome = {0};
  evaio_open(aio, NULL, "pipe", O_RDWR, 0, got_file, &outcome);
  run();
  CHECK(outcome.file != NULL);
  *writer = open("pipe", O_WRONLY);
  CHECK(*writer >= 0);
  CHECK(unlink("pipe") == 0);
  return outcome.file;
}

static void a_request_completes_when_its_time_is_over(void) {
  int writer;
  struct evaio_file *file = open_pipe(&writer);
  struct outcome read = {0};
  struct timeval time = {0, 20000};
  char *memory = malloc(16);
  evaio_read(file, memory, 16, 0, &time, got_result, &read);
  run();
  CHECK(read.calls == 1 && read.error.code == ETIMEDOUT);
  // The kernel still reads, but not to this memory.
  free(memory);
  CHECK(write(writer, "late", 4) == 4);
  evaio_close(file, NULL, NULL);
  run();
  close(writer);
}

static void cancelling_completes_a_request_once(void) {
  int writer;
  struct evaio_file *file = open_pipe(&writer);
  struct outcome read = {0};
  char *memory = malloc(16);
  evaio_id id = evaio_read(file, memory, 16, 0, NULL, got_result, &read);
  CHECK(evaio_cancel(aio, id) == 0);
  CHECK(read.calls == 0);
  run();
  CHECK(read.calls == 1 && read.error.code == ECANCELED);
  // One that runs.
  id = evaio_read(file, memory, 16, 0, NULL, got_result, &read);
  struct evaio_statistics statistics;
  do {
    CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
    evaio_get_statistics(aio, &statistics);
  } while (statistics.in_flight == 0);
  CHECK(evaio_cancel(aio, id) == 0);
  CHECK(evaio_cancel(aio, id) == -1 && errno == ENOENT);
  run();
  CHECK(read.calls == 2 && read.error.code == ECANCELED);
  free(memory);
  CHECK(evaio_cancel(aio, id) == -1 && errno == ENOENT);
  CHECK(evaio_cancel(aio, 0) == -1);
  CHECK(evaio_cancel(aio, UINT64_MAX) == -1);
  CHECK(write(writer, "late", 4) == 4);
  evaio_close(file, NULL, NULL);
  run();
  close(writer);
}

static void cancelling_only_what_waits_leaves_what_runs_alone(void) {
  enum { SIZE = 8192 };
  int other_end;
  struct evaio_file *file = open_pipe(&other_end);
  close(other_end);
  struct outcome cancelled = {0}, written = {0};
  static char bytes[SIZE];
  evaio_id id = evaio_read(file, bytes, SIZE, 0, NULL, got_result, &cancelled);
  CHECK(evaio_cancel_waiting(aio, id) == 0);
  run();
  CHECK(cancelled.calls == 1 && cancelled.error.code == ECANCELED);
  close_file(file);
  // Half of this write fits, and the thread with the rest waits.
  file = open_pipe(&other_end);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", other_end);
  int reader = open(path, O_RDONLY | O_NONBLOCK);
  CHECK(fcntl(reader, F_SETPIPE_SZ, SIZE / 2) == SIZE / 2);
  id = evaio_write(file, bytes, SIZE, 0, NULL, got_result, &written);
  CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
  struct pollfd readable = {.fd = reader, .events = POLLIN};
  CHECK(poll(&readable, 1, -1) == 1);
  errno = 0;
  CHECK(evaio_cancel_waiting(aio, id) == -1 && errno == EBUSY);
  size_t count = 0;
  while (count < SIZE) {
    CHECK(poll(&readable, 1, -1) == 1);
    ssize_t piece = read(reader, bytes + count, SIZE - count);
    CHECK(piece > 0);
    count += (size_t)piece;
  }
  run();
  CHECK(written.calls == 1 && written.result == SIZE);
  CHECK(evaio_cancel_waiting(aio, id) == -1 && errno == ENOENT);
  close_file(file);
  close(reader);
  close(other_end);
}

int main(void) {
  begin();
  a_write_is_read_back_when_it_has_completed();
  pieces_are_read_and_written_one_after_the_other();
  appends_keep_their_order();
  a_buffers_memory_is_written_without_a_copy();
  parts_of_files_and_of_other_buffers_are_refused_and_stay();
  a_read_that_misses_the_page_cache_gets_the_same_bytes();
  an_error_says_what_failed();
  a_call_that_is_not_accepted_gets_its_error_from_the_base();
  a_request_completes_when_its_time_is_over();
  cancelling_completes_a_request_once();
  cancelling_only_what_waits_leaves_what_runs_alone();
  struct evaio_statistics statistics;
  evaio_get_statistics(aio, &statistics);
  CHECK(statistics.cache_hits > 0 && statistics.abandoned >= 1);
  CHECK(statistics.in_flight == 0 && statistics.waiting == 0 && statistics.held_bytes == 0);
  finish();
  return 0;
}
