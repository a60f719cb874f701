// A process with signal handlers, threads, children, and bases of its own.
#include "support.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t signal_count;

static void on_signal(int number) {
  (void)number;
  signal_count += 1;
}

static void write_and_read(struct event_base *where, struct evaio_base *with, const char *path) {
  struct outcome opened = {0}, written = {0}, synced = {0}, read = {0};
  evaio_open(with, NULL, path, O_RDWR | O_CREAT | O_TRUNC, 0644, got_file, &opened);
  CHECK(event_base_dispatch(where) >= 0);
  CHECK(opened.file != NULL);
  char memory[16] = "";
  evaio_write(opened.file, "content", 7, 0, NULL, got_result, &written);
  evaio_sync(opened.file, NULL, got_result, &synced);
  CHECK(event_base_dispatch(where) >= 0);
  evaio_read(opened.file, memory, sizeof memory, 0, NULL, got_result, &read);
  evaio_close(opened.file, NULL, NULL);
  CHECK(event_base_dispatch(where) >= 0);
  CHECK(written.result == 7 && synced.result == 0 && read.result == 7);
  CHECK(strcmp(memory, "content") == 0);
}

static void the_first_attachment_is_fast(void) {
  struct timespec start, end;
  struct event_base *own = event_base_new();
  clock_gettime(CLOCK_MONOTONIC, &start);
  struct evaio_base *first = evaio_base_new(own, NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  CHECK(first != NULL);
  CHECK(evaio_base_get_event_base(first) == own);
  printf("the first attachment took %ld us\n",
         (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000);
  evaio_base_free(first);
  event_base_free(own);
}

static void the_program_and_the_library_use_one_libevent(void) {
  Dl_info ours, theirs;
  void *library = dlopen("libevaio.so.0", RTLD_NOW | RTLD_NOLOAD);
  CHECK(library != NULL);
  CHECK(dladdr((void *)event_base_new, &ours) != 0);
  // As the library itself finds it.
  CHECK(dladdr(dlsym(RTLD_DEFAULT, "event_base_new"), &theirs) != 0);
  CHECK(strcmp(ours.dli_fname, theirs.dli_fname) == 0);
  dlclose(library);
}

static void a_version_is_reported(void) {
  CHECK(strcmp(evaio_get_version(), EVAIO_VERSION) == 0);
  CHECK(evaio_get_version_number() == EVAIO_VERSION_NUMBER);
}

static void options_are_checked(void) {
  struct evaio_options options;
  evaio_options_init(&options);
  CHECK(options.size == sizeof options);
  CHECK(options.in_flight_limit == 256 && options.grace_period.tv_sec == 1);
  options.in_flight_limit = 0;
  CHECK(evaio_base_new(base, &options) == NULL && errno == EINVAL);
  options.in_flight_limit = (unsigned)-1;
  CHECK(evaio_base_new(base, &options) == NULL && errno == EINVAL);
  evaio_options_init(&options);
  options.grace_period.tv_sec = -1;
  CHECK(evaio_base_new(base, &options) == NULL && errno == EINVAL);
  evaio_options_init(&options);
  options.signal = SIGUSR1;
  CHECK(evaio_base_new(base, &options) == NULL && errno == EINVAL);
  evaio_options_init(&options);
  options.size += 8;
  CHECK(evaio_base_new(base, &options) == NULL && errno == E2BIG);
  options.size = 0;
  CHECK(evaio_base_new(base, &options) == NULL && errno == EINVAL);
  // A program of an earlier version, whose options ended before the signal.
  evaio_options_fill(&options, offsetof(struct evaio_options, signal));
  options.signal = -1;
  struct evaio_base *other = evaio_base_new(base, &options);
  CHECK(other != NULL);
  evaio_base_free(other);
  // Over a limit.
  evaio_options_init(&options);
  options.waiting_limit = 0;
  other = evaio_base_new(base, &options);
  CHECK(other != NULL);
  struct outcome opened = {0}, read = {0};
  evaio_open(other, NULL, "file", O_RDWR | O_CREAT, 0644, got_file, &opened);
  run();
  char byte;
  CHECK(evaio_read(opened.file, &byte, 1, 0, NULL, got_result, &read) == 0);
  run();
  CHECK(read.calls == 1 && read.error.code == EAGAIN);
  evaio_close(opened.file, NULL, NULL);
  evaio_base_free(other);
}

// Before the evaio is made, so that it takes none of these.
static void handle_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGRTMIN, &action, NULL);
  sigaction(SIGRTMIN + 1, &action, NULL);
}

static void handlers_of_other_signals_stay(void) {
  signal_count = 0;
  raise(SIGUSR1);
  raise(SIGRTMIN + 1);
  write_and_read(base, aio, "signals");
  raise(SIGRTMIN);
  CHECK(signal_count == 3);
}

static void *use_a_base_of_its_own(void *arg) {
  struct event_base *own = event_base_new();
  struct evaio_base *with = evaio_base_new(own, NULL);
  CHECK(with != NULL);
  for (int i = 0; i < 50; i++) write_and_read(own, with, arg);
  evaio_base_free(with);
  event_base_free(own);
  return NULL;
}

static void each_thread_may_have_its_own(void) {
  pthread_t threads[4];
  char paths[4][16];
  for (int i = 0; i < 4; i++) {
    snprintf(paths[i], sizeof paths[i], "thread%d", i);
    CHECK(pthread_create(&threads[i], NULL, use_a_base_of_its_own, paths[i]) == 0);
  }
  for (int i = 0; i < 50; i++) write_and_read(base, aio, "main");
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void *run_there(void *arg) {
  evaio_base_move_to_current_thread(arg);
  write_and_read(base, arg, "moved");
  evaio_base_leave_current_thread(arg);
  return NULL;
}

static void it_moves_to_another_thread(void) {
  pthread_t thread;
  evaio_base_leave_current_thread(aio);
  CHECK(pthread_create(&thread, NULL, run_there, aio) == 0);
  pthread_join(thread, NULL);
  evaio_base_move_to_current_thread(aio);
}

static int reap(pid_t child) {
  int status;
  CHECK(child > 0);
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

// glibc's threads are not in the child.
static void a_child_is_refused_when_its_parent_had_attached(void) {
  struct evaio_file *file = open_file("parent", O_RDWR | O_CREAT);
  struct outcome written = {0};
  evaio_write(file, "parent", 6, 0, NULL, got_result, &written);
  pid_t child = fork();
  if (child == 0) {
    alarm(DEADLINE_SECONDS);
    // Harmless: the child shares the parent's descriptors.
    evaio_base_free(aio);
    base = event_base_new();
    aio = evaio_base_new(base, NULL);
    if (aio != NULL) {
      struct outcome read = {0};
      char memory[16];
      file = open_file("parent", O_RDWR);
      CHECK(evaio_read(file, memory, sizeof memory, 0, NULL, got_result, &read) == 0);
      run();
      CHECK(read.calls == 1 && read.error.code == ENOTSUP);
    }
    // Without a search for leaks: the parent's objects stay.
    raise(SIGKILL);
  }
  int status = reap(child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  run();
  CHECK(written.calls == 1 && written.result == 6);
  close_file(file);
}

// As the processes of a server do.
static void children_attach_when_their_parent_has_not(void) {
  pid_t children[3];
  char paths[3][16];
  for (int i = 0; i < 3; i++) {
    snprintf(paths[i], sizeof paths[i], "child%d", i);
    children[i] = fork();
    if (children[i] == 0) {
      begin();
      for (int round = 0; round < 20; round++) write_and_read(base, aio, paths[i]);
      finish();
      _exit(7);
    }
  }
  for (int i = 0; i < 3; i++) {
    int status = reap(children[i]);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  }
}

int main(void) {
  children_attach_when_their_parent_has_not();
  handle_signals();
  the_first_attachment_is_fast();
  begin();
  the_program_and_the_library_use_one_libevent();
  a_version_is_reported();
  options_are_checked();
  handlers_of_other_signals_stay();
  each_thread_may_have_its_own();
  it_moves_to_another_thread();
  a_child_is_refused_when_its_parent_had_attached();
  finish();
  return 0;
}
