// Files sent to sockets and bufferevents: the bytes, the pace, and the ends.
#include "support.h"

#include <event2/bufferevent.h>
#include <sys/socket.h>

enum { SIZE = 5 * 1024 * 1024 + 123, LIMIT = 256 * 1024 };

static unsigned char *bytes;

// A pair of sockets, and what has arrived at the second.
struct pair {
  int ends[2];
  struct event *readable;
  unsigned char *received;
  size_t count, wanted;
};

static void arrived(evutil_socket_t socket, short events, void *arg) {
  (void)events;
  struct pair *pair = arg;
  ssize_t count = read(socket, pair->received + pair->count, SIZE + 1000 - pair->count);
  CHECK(count >= 0);
  pair->count += (size_t)count;
  if (pair->count >= pair->wanted || count == 0) event_del(pair->readable);
}

static struct pair open_pair(size_t wanted) {
  struct pair pair = {.wanted = wanted, .received = malloc(SIZE + 1000)};
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.ends) == 0);
  return pair;
}

static void start_reading(struct pair *pair) {
  pair->readable = event_new(base, pair->ends[1], EV_READ | EV_PERSIST, arrived, pair);
  event_add(pair->readable, NULL);
}

static void close_pair(struct pair *pair) {
  if (pair->readable != NULL) event_free(pair->readable);
  free(pair->received);
  close(pair->ends[0]);
  close(pair->ends[1]);
}

static struct evaio_statistics statistics(void) {
  struct evaio_statistics statistics;
  evaio_get_statistics(aio, &statistics);
  return statistics;
}

static void forget_pages(void) {
  int descriptor = open("file", O_RDONLY);
  CHECK(fdatasync(descriptor) == 0);
  CHECK(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0);
  close(descriptor);
}

static void a_range_arrives_at_a_socket(struct evaio_file *file, int64_t start, int64_t size) {
  size_t expected = start + size > SIZE ? (size_t)(SIZE - start) : (size_t)size;
  struct outcome sent = {0};
  struct pair pair = open_pair(expected);
  if (expected > 0) start_reading(&pair);
  CHECK(evaio_send(aio, file, start, size, pair.ends[0], got_result, &sent) != 0);
  CHECK(sent.calls == 0);
  run();
  CHECK(sent.calls == 1 && sent.result == (ssize_t)expected);
  CHECK(pair.count == expected && memcmp(pair.received, bytes + start, expected) == 0);
  close_pair(&pair);
}

static void a_range_arrives_in_order_by_a_bufferevent(struct evaio_file *file, int64_t size) {
  struct outcome sent = {0};
  struct pair pair = open_pair(4 + (size_t)size + 4);
  struct bufferevent *stream = bufferevent_socket_new(base, pair.ends[0], 0);
  struct evbuffer *output = bufferevent_get_output(stream);
  evbuffer_add(output, "head", 4);
  CHECK(evaio_send_bufferevent(aio, file, 0, size, stream, got_result, &sent) != 0);
  // The other end reads nothing yet.
  for (int i = 0; i < 200; i++) {
    CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
    CHECK(evbuffer_get_length(output) <= LIMIT);
  }
  start_reading(&pair);
  while (sent.calls == 0) {
    CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
    CHECK(evbuffer_get_length(output) <= LIMIT);
  }
  CHECK(sent.result == size);
  evbuffer_add(output, "tail", 4);
  run();
  CHECK(pair.count == pair.wanted);
  CHECK(memcmp(pair.received, "head", 4) == 0);
  CHECK(memcmp(pair.received + 4, bytes, (size_t)size) == 0);
  CHECK(memcmp(pair.received + 4 + size, "tail", 4) == 0);
  bufferevent_free(stream);
  close_pair(&pair);
}

static void a_cancelled_send_leaves_the_other_side_alone(struct evaio_file *file) {
  struct outcome sent = {0};
  struct pair pair = open_pair(0);
  evaio_id id = evaio_send(aio, file, 0, SIZE, pair.ends[0], got_result, &sent);
  CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
  CHECK(evaio_cancel(aio, id) == 0);
  CHECK(evaio_cancel(aio, id) == -1);
  CHECK(sent.calls == 0);
  close(pair.ends[0]);
  run();
  CHECK(sent.calls == 1 && sent.error.code == ECANCELED);
  pair.ends[0] = dup(pair.ends[1]);
  close_pair(&pair);

  pair = open_pair(0);
  struct bufferevent *stream = bufferevent_socket_new(base, pair.ends[0], 0);
  id = evaio_send_bufferevent(aio, file, 0, SIZE, stream, got_result, &sent);
  for (int i = 0; i < 10; i++) CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
  CHECK(sent.calls == 1);
  CHECK(evaio_cancel(aio, id) == 0);
  bufferevent_free(stream);
  run();
  CHECK(sent.calls == 2 && sent.error.code == ECANCELED);
  close_pair(&pair);
}

static void a_send_fails_when_the_peer_is_gone(struct evaio_file *file) {
  struct outcome sent = {0};
  struct pair pair = open_pair(0);
  close(pair.ends[1]);
  evaio_send(aio, file, 0, SIZE, pair.ends[0], got_result, &sent);
  run();
  // And no SIGPIPE.
  CHECK(sent.calls == 1 && sent.error.code == EPIPE && sent.error.done == 0);
  CHECK(strcmp(sent.line, "send \"file\" at 0: Broken pipe") == 0);
  pair.ends[1] = dup(pair.ends[0]);
  close_pair(&pair);
  CHECK(evaio_send(aio, file, -1, 1, 0, got_result, &sent) == 0);
  CHECK(evaio_send(aio, file, 0, -1, 0, got_result, &sent) == 0);
  CHECK(evaio_send(aio, file, 1, INT64_MAX, 0, got_result, &sent) == 0);
  run();
  CHECK(sent.calls == 4 && sent.error.code == EINVAL);
}

static void a_file_is_closed_after_its_sends(void) {
  struct evaio_file *file = open_file("file", O_RDONLY);
  struct outcome sent = {0}, closed = {0};
  struct pair pair = open_pair(SIZE);
  evaio_send(aio, file, 0, SIZE, pair.ends[0], got_result, &sent);
  evaio_close(file, got_result, &closed);
  for (int i = 0; i < 10; i++) CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
  CHECK(closed.calls == 0);
  start_reading(&pair);
  run();
  CHECK(closed.calls == 1 && sent.calls == 1 && sent.result == SIZE);
  CHECK(memcmp(pair.received, bytes, SIZE) == 0);
  close_pair(&pair);
}

int main(void) {
  begin();
  bytes = malloc(SIZE);
  for (int i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i * 11 + i / 4096);
  int descriptor = open("file", O_WRONLY | O_CREAT, 0644);
  CHECK(write(descriptor, bytes, SIZE) == SIZE);
  close(descriptor);
  struct evaio_file *file = open_file("file", O_RDONLY);
  a_range_arrives_at_a_socket(file, 0, SIZE);
  a_range_arrives_in_order_by_a_bufferevent(file, SIZE);
  struct evaio_statistics cached = statistics();
  fprintf(stderr, "sent from the page cache: %llu bytes without a copy, %llu copied\n",
          (unsigned long long)cached.sent_uncopied, (unsigned long long)cached.sent_copied);
  a_range_arrives_at_a_socket(file, 0, 0);
  a_range_arrives_at_a_socket(file, 1, 1);
  a_range_arrives_at_a_socket(file, 4095, 1000000);
  a_range_arrives_at_a_socket(file, SIZE - 10, 1000000);
  forget_pages();
  a_range_arrives_at_a_socket(file, 0, SIZE);
  forget_pages();
  a_range_arrives_in_order_by_a_bufferevent(file, SIZE);
  a_range_arrives_in_order_by_a_bufferevent(file, 1);
  a_cancelled_send_leaves_the_other_side_alone(file);
  a_send_fails_when_the_peer_is_gone(file);
  close_file(file);
  a_file_is_closed_after_its_sends();
  free(bytes);
  finish();
  return 0;
}
