// Crosses every call that takes a callback with every way to end it: one callback each, with a
// result that the end allows, and no memory of the caller's is used after it.
#include "calls.h"

#include <dirent.h>
#include <sys/wait.h>

static struct call current;
static const struct kind *kind;
static struct event *drained[3];

// ---- What the calls use

static int make_pipe(const char *path) {
  // A new one each time: an operation of an earlier call may still have the last one.
  unlink(path);
  CHECK(mkfifo(path, 0600) == 0);
  return open(path, O_RDWR | O_NONBLOCK);
}

static void set_up(unsigned waiting_limit) {
  struct evaio_options options;
  evaio_options_init(&options);
  options.grace_period = (struct timeval){0, 20000};
  if (waiting_limit != UINT_MAX) options.waiting_limit = waiting_limit;
  aio = evaio_base_new(base, &options);
  CHECK(aio != NULL);
  empty_end = make_pipe("empty");
  full_end = make_pipe("full");
  file = open_file("file", O_RDWR | O_CREAT);
  log_file = open_file("log", O_WRONLY | O_CREAT | O_APPEND | O_TRUNC);
  empty_pipe = open_file("empty", O_RDONLY);
  full_pipe = open_file("full", O_WRONLY);
  big_file = open_file("big", O_RDONLY);
  int type = SOCK_STREAM | SOCK_NONBLOCK;
  CHECK(socketpair(AF_UNIX, type, 0, sockets) == 0);
  CHECK(socketpair(AF_UNIX, type, 0, other_sockets) == 0);
  stream = bufferevent_socket_new(base, other_sockets[0], 0);
  struct outcome outcome = {0};
  evaio_open_dir(aio, NULL, ".", got_dir, &outcome);
  run();
  dir = outcome.dir;
  current = (struct call){0};
  long_work_count = 0;
}

static void start(void) {
  kind->start(&current);
}

static void drain(evutil_socket_t descriptor, short events, void *arg) {
  (void)events, (void)arg;
  char bytes[SIZE];
  CHECK(read(descriptor, bytes, sizeof bytes) > 0);
}

// From now on, the other sides do what calls may wait for.
static void let_it_end(void) {
  int readable[] = {sockets[1], other_sockets[1], full_end};
  for (int i = 0; i < 3; i++) {
    drained[i] = event_new(base, readable[i], EV_READ | EV_PERSIST, drain, NULL);
    CHECK(event_add(drained[i], NULL) == 0);
  }
  CHECK(write(empty_end, "x", 1) == 1);
  for (; long_work_count > 0; long_work_count--) sem_post(&may_end);
}

static void free_events(void) {
  for (int i = 0; i < 3; i++) {
    if (drained[i] != NULL) event_free(drained[i]);
    drained[i] = NULL;
  }
  if (stream != NULL) bufferevent_free(stream);
  stream = NULL;
}

static int close_count, closed_count;

static void closed(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  closed_count += 1;
}

static void close_everything(void) {
  struct evaio_file **files[] = {&file, &log_file, &empty_pipe, &full_pipe, &big_file};
  for (int i = 0; i < 5; i++) {
    if (*files[i] == NULL) continue;
    close_count += 1;
    evaio_close(*files[i], closed, NULL);
    *files[i] = NULL;
  }
  if (dir != NULL) evaio_close_dir(dir);
  dir = NULL;
}

static void tear_down(void) {
  close_everything();
  CHECK(closed_count == close_count);
  close_count = closed_count = 0;
  // Ends what the kernel still does, also on the pipes, which have no other side then.
  for (; long_work_count > 0; long_work_count--) sem_post(&may_end);
  free_events();
  for (int i = 0; i < 2; i++) {
    close(sockets[i]);
    close(other_sockets[i]);
  }
  close(empty_end);
  close(full_end);
}

// ---- The ends

static void turn(void) {
  CHECK(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
}

static void run_until_it_has_ended(void) {
  let_it_end();
  while (current.calls == 0) CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
}

static void free_evaio(void) {
  evaio_base_free(aio);
  aio = NULL;
}

static void free_at_once(void) {
  start();
  CHECK(current.calls == 0);
  free_evaio();
}

static void free_after_a_turn(void) {
  start();
  turn();
  free_evaio();
}

static void free_with_the_event_base(void) {
  free_after_a_turn();
  free_events();
  event_base_free(base);
  base = event_base_new();
}

static void free_in_own_callback(ssize_t result, const struct evaio_error *error, void *arg) {
  (void)result, (void)error, (void)arg;
  start();
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
  start();
  free_evaio();
  CHECK(current.calls == 1);
}

static void free_in_a_foreign_callback(void) {
  struct timeval soon = {0, 0};
  event_base_once(base, -1, EV_TIMEOUT, free_in_a_timer, NULL, &soon);
  run();
}

static void free_in_its_callback(void) {
  current.in_callback = free_evaio;
  start();
  run_until_it_has_ended();
}

static void finish_when_it_has_ended(void) {
  start();
  evaio_base_finish(aio);
  aio = NULL;
}

static void run_to_the_end(void) {
  start();
  run_until_it_has_ended();
  free_evaio();
}

static void close_after_a_turn(void) {
  start();
  turn();
  close_everything();
  run_until_it_has_ended();
  while (closed_count < close_count) CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
  free_evaio();
}

static void close_and_free(void) {
  start();
  close_everything();
  free_evaio();
}

static void close_in_its_callback(void) {
  current.in_callback = close_everything;
  start();
  run_until_it_has_ended();
  while (closed_count < close_count) CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
  free_evaio();
}

static void cancel_by(int (*cancel)(struct evaio_base *aio, evaio_id id)) {
  int calls = current.calls;
  bool was_cancelled = cancel(aio, current.id) == 0;
  CHECK(current.calls == calls);
  // What was cancelled needs nothing any more.
  if (was_cancelled && !(kind->traits & IS_SENT)) {
    while (current.calls == 0) CHECK(event_base_loop(base, EVLOOP_ONCE) >= 0);
    CHECK(current.code == ECANCELED);
  } else {
    run_until_it_has_ended();
  }
  free_evaio();
}

static void cancel_at_once(void) {
  start();
  cancel_by(evaio_cancel);
}

static void cancel_after_a_turn(void) {
  start();
  turn();
  cancel_by(evaio_cancel);
}

static void cancel_waiting_after_a_turn(void) {
  start();
  turn();
  cancel_by(evaio_cancel_waiting);
}

// In the child nothing is called back, and the parent does not notice.
static void fork_after_a_turn(void) {
  start();
  turn();
  int calls = current.calls;
  pid_t child = fork();
  if (child == 0) {
    alarm(DEADLINE_SECONDS);
    free_evaio();
    CHECK(current.calls == calls);
    // Without a search for leaks: the parent's objects stay.
    raise(SIGKILL);
  }
  int status;
  CHECK(child > 0);
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  run_until_it_has_ended();
  free_evaio();
}

static void call_after_the_end(void) {
  free_evaio();
  start();
  CHECK(current.calls == 1);
}

// ---- The matrix

enum { ANY, THAT_ENDS, OF_A_FILE };
enum { OWN, OWN_OR_CANCELED, OWN_OR_REFUSED, CANCELED };

static const struct end {
  const char *name;
  void (*end)(void);
  int is_for;
  int result;
  unsigned waiting_limit;
} ends[] = {
    {"evaio_base_free", free_at_once, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"free after a turn", free_after_a_turn, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"free with the base", free_with_the_event_base, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"free in a callback", free_in_a_callback, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"free in a foreign callback", free_in_a_foreign_callback, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"free in its callback", free_in_its_callback, ANY, OWN, UINT_MAX},
    {"evaio_base_finish", finish_when_it_has_ended, THAT_ENDS, OWN, UINT_MAX},
    {"run to the end", run_to_the_end, ANY, OWN, UINT_MAX},
    {"close after a turn", close_after_a_turn, ANY, OWN, UINT_MAX},
    {"close, free", close_and_free, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"close in its callback", close_in_its_callback, ANY, OWN, UINT_MAX},
    {"evaio_cancel", cancel_at_once, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"cancel after a turn", cancel_after_a_turn, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"evaio_cancel_waiting", cancel_waiting_after_a_turn, ANY, OWN_OR_CANCELED, UINT_MAX},
    {"fork", fork_after_a_turn, ANY, OWN, UINT_MAX},
    {"call after the end", call_after_the_end, OF_A_FILE, CANCELED, UINT_MAX},
    {"no room", run_to_the_end, ANY, OWN_OR_REFUSED, 0},
};

static bool is_for(const struct end *end) {
  if (end->is_for == THAT_ENDS) return !(kind->traits & NEVER_ENDS);
  return end->is_for == ANY || (kind->traits & OF_FILE);
}

static bool allows(const struct end *end, int code) {
  if (end->result == CANCELED) return code == ECANCELED;
  bool is_cut = end->result == OWN_OR_CANCELED
                || (end->end == finish_when_it_has_ended && (kind->traits & IS_SENT));
  return code == kind->own_code || (is_cut && code == ECANCELED)
         || (end->result == OWN_OR_REFUSED && code == EAGAIN);
}

static void check_cell(const struct end *end) {
  sigset_t mask, mask_after;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  set_up(end->waiting_limit);
  end->end();
  bool is_right = current.calls == 1 && allows(end, current.code);
  if (!is_right) {
    fprintf(stderr, "%s, %s: %d callbacks, %s\n", kind->name, end->name, current.calls,
            strerror(current.code));
  }
  CHECK(is_right && aio == NULL);
  free_events();
  // A freed bufferevent is one until the base has run.
  turn();
  CHECK(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 0);
  tear_down();
  CHECK(current.calls == 1);
  pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
  for (int signal = 1; signal <= SIGRTMAX; signal++) {
    CHECK(sigismember(&mask, signal) == sigismember(&mask_after, signal));
  }
}

static int descriptor_count(void) {
  DIR *open = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(open) != NULL) count += 1;
  closedir(open);
  return count;
}

// What was cut and could not be stopped is released when another evaio is attached or detached.
static void wait_for_descriptors(int count) {
  do {
    aio = evaio_base_new(base, NULL);
    CHECK(aio != NULL);
    free_evaio();
  } while (descriptor_count() > count);
  CHECK(descriptor_count() == count);
}

int main(void) {
  begin();
  free_evaio();
  int big = open("big", O_WRONLY | O_CREAT, 0600);
  CHECK(ftruncate(big, BIG_SIZE) == 0);
  close(big);
  CHECK(sem_init(&may_end, 0, 0) == 0);
  int count = descriptor_count();
  for (kind = calls; kind < calls + sizeof calls / sizeof *calls; kind++) {
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
      if (!is_for(&ends[i])) continue;
      if (getenv("VERBOSE") != NULL) fprintf(stderr, "%s, %s\n", kind->name, ends[i].name);
      check_cell(&ends[i]);
    }
  }
  wait_for_descriptors(count);
  event_base_free(base);
  remove_scratch();
  libevent_global_shutdown();
  return 0;
}
