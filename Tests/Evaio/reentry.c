// Calls inside callbacks: of the end, of evbuffers, and of memory that is free again.
#include "support.h"

#include <event2/bufferevent.h>
#include <sys/socket.h>

static struct evaio_file *file, *empty_pipe;
static evaio_id other_read;

static void no_work(void *arg) { (void)arg; }

// ---- The handle, in callbacks of its end

enum { USES = 5 };
static struct outcome ended, uses[USES];

static void use_the_handle(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)arg;
  got_result(result, error, &ended);
  evaio_open(aio, NULL, "file", O_RDONLY, 0, got_file, &uses[0]);
  evaio_read_file(aio, NULL, "file", 100, got_data, &uses[1]);
  evaio_stat(aio, NULL, "file", 0, got_status, &uses[2]);
  evaio_offload(aio, no_work, got_result, &uses[3]);
  evaio_unlink(aio, NULL, "none", 0, got_result, &uses[4]);
  CHECK(evaio_base_get_event_base(aio) == base);
  evaio_cancel(aio, other_read);
  struct evaio_statistics statistics;
  evaio_get_statistics(aio, &statistics);
}

static void free_it(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  evaio_base_free(aio);
  CHECK(ended.calls == 0);
}

static void set_up(void) {
  attach_for_a_quick_end();
  file = open_file("file", O_RDWR | O_CREAT);
  empty_pipe = open_file("pipe", O_RDWR);
  ended = (struct outcome){0};
  memset(uses, 0, sizeof uses);
  other_read = 0;
}

static void tear_down(int code) {
  CHECK(ended.calls == 1 && ended.error.code == code);
  for (int i = 0; i < USES; i++) CHECK(uses[i].calls == 1);
  if (uses[0].file != NULL) evaio_close(uses[0].file, NULL, NULL);
  if (uses[1].data != NULL) evbuffer_free(uses[1].data);
  evaio_close(file, NULL, NULL);
  evaio_close(empty_pipe, NULL, NULL);
  int writer = open("pipe", O_WRONLY | O_NONBLOCK);
  if (writer < 0) return;
  CHECK(write(writer, "xx", 2) == 2);
  close(writer);
}

static void start_reads(void) {
  static char bytes[2];
  evaio_read(empty_pipe, bytes, 1, 0, NULL, use_the_handle, NULL);
  other_read = evaio_read(empty_pipe, bytes + 1, 1, 0, NULL, NULL, NULL);
}

static void the_handle_is_valid_until_the_end(void) {
  set_up();
  start_reads();
  evaio_base_free(aio);
  tear_down(ECANCELED);

  set_up();
  start_reads();
  evaio_sync(file, NULL, free_it, NULL);
  run();
  tear_down(ECANCELED);

  set_up();
  evaio_sync(file, NULL, use_the_handle, NULL);
  evaio_base_finish(aio);
  CHECK(uses[0].file != NULL && uses[1].data != NULL && uses[2].error.code == 0);
  tear_down(0);
}

// ---- Sends that end inside a callback of their buffer

enum { SIZE = 4 * 1024 * 1024 };
enum way { CANCEL, CANCEL_AND_FREE_THE_BUFFEREVENT, FREE_THE_BASE };
static enum way way;
static bool when_sent;
static struct bufferevent *stream;
static struct outcome sent;
static evaio_id send_id;

static void changed(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg) {
  (void)output, (void)arg;
  if (send_id == 0 || (when_sent ? info->n_deleted : info->n_added) == 0) return;
  if (way == FREE_THE_BASE) {
    evaio_base_free(aio);
  } else {
    CHECK(evaio_cancel(aio, send_id) == 0);
  }
  send_id = 0;
  if (way != CANCEL_AND_FREE_THE_BUFFEREVENT) return;
  bufferevent_free(stream);
  stream = NULL;
}

static void a_send_ends_in_a_callback_of_its_buffer(void) {
  int ends[2];
  struct evaio_options options;
  evaio_options_init(&options);
  aio = evaio_base_new(base, &options);
  file = open_file("large", O_RDONLY);
  sent = (struct outcome){0};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  stream = bufferevent_socket_new(base, ends[0], 0);
  bufferevent_enable(stream, EV_WRITE);
  send_id = evaio_send_bufferevent(aio, file, 0, SIZE, stream, got_result, &sent);
  // After the library's own callback, and so called before it.
  evbuffer_add_cb(bufferevent_get_output(stream), changed, NULL);
  while (sent.calls == 0) CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
  CHECK(sent.calls == 1 && sent.error.code == ECANCELED && send_id == 0);
  evaio_close(file, NULL, NULL);
  if (way != FREE_THE_BASE) evaio_base_finish(aio);
  if (stream != NULL) bufferevent_free(stream);
  CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
  CHECK(sent.calls == 1);
  close(ends[0]);
  close(ends[1]);
}

static void a_send_ends_in_any_callback_of_its_buffer(void) {
  for (way = CANCEL; way <= FREE_THE_BASE; way++) {
    for (int i = 0; i < 2; i++) {
      when_sent = i == 1;
      a_send_ends_in_a_callback_of_its_buffer();
    }
  }
}

// ---- Files that become shorter

static size_t arrived_count;

static void arrived(struct bufferevent *end, void *arg) {
  (void)arg;
  struct evbuffer *input = bufferevent_get_input(end);
  size_t count = evbuffer_get_length(input);
  unsigned char *bytes = evbuffer_pullup(input, -1);
  for (size_t i = 0; i < count; i++) CHECK(bytes[i] == 'x');
  arrived_count += count;
  evbuffer_drain(input, count);
}

// A map of the file would raise SIGBUS.
static void a_file_may_become_shorter_while_it_is_sent(void) {
  struct bufferevent *ends[2];
  aio = evaio_base_new(base, NULL);
  file = open_file("large", O_RDWR);
  sent = (struct outcome){0};
  CHECK(bufferevent_pair_new(base, 0, ends) == 0);
  bufferevent_setcb(ends[1], arrived, NULL, NULL, NULL);
  bufferevent_enable(ends[0], EV_WRITE);
  evaio_send_bufferevent(aio, file, 0, SIZE, ends[0], got_result, &sent);
  struct evbuffer *output = bufferevent_get_output(ends[0]);
  while (evbuffer_get_length(output) == 0) CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
  CHECK(truncate("large", 0) == 0);
  bufferevent_enable(ends[1], EV_READ);
  run();
  CHECK(sent.calls == 1 && sent.result == (ssize_t)arrived_count && arrived_count < SIZE);
  close_file(file);
  evaio_base_free(aio);
  bufferevent_free(ends[0]);
  bufferevent_free(ends[1]);
  CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

// ---- Memory that is free again

static struct outcome again;
static int free_count;

static void is_free(const void *memory, size_t size, void *arg) {
  (void)memory, (void)size, (void)arg;
  free_count += 1;
  evaio_write(file, "y", 1, 0, NULL, got_result, &again);
  evaio_sync(file, NULL, got_result, &again);
}

static void a_buffer_that_is_free_starts_other_work(void) {
  struct evaio_options options;
  evaio_options_init(&options);
  options.waiting_limit = 3;
  options.in_flight_limit = 1;
  aio = evaio_base_new(base, &options);
  file = open_file("file", O_RDWR);
  struct outcome written = {0};
  static char bytes[1000];
  evaio_id last = 0;
  for (int i = 0; i < 20; i++) {
    struct evbuffer *data = evbuffer_new();
    evbuffer_add_reference(data, bytes, sizeof bytes, is_free, NULL);
    evaio_id id = evaio_write_buffer(file, data, 0, NULL, got_result, &written);
    if (id != 0) last = id;
    evbuffer_free(data);
  }
  evaio_cancel(aio, last);
  run();
  CHECK(written.calls == 20 && free_count == 20 && again.calls == 40);
  close_file(file);
  evaio_base_free(aio);
}

int main(void) {
  begin();
  evaio_base_free(aio);
  CHECK(mkfifo("pipe", 0600) == 0);
  int large = open("large", O_WRONLY | O_CREAT, 0600);
  char *bytes = malloc(SIZE);
  memset(bytes, 'x', SIZE);
  CHECK(write(large, bytes, SIZE) == SIZE);
  free(bytes);
  close(large);
  the_handle_is_valid_until_the_end();
  a_send_ends_in_any_callback_of_its_buffer();
  a_buffer_that_is_free_starts_other_work();
  a_file_may_become_shorter_while_it_is_sent();
  event_base_free(base);
  remove_scratch();
  libevent_global_shutdown();
  return 0;
}
