// Directories, names, metadata, whole files, and helper threads.
#include "support.h"

#include <pthread.h>
#include <sys/syscall.h>

static struct evaio_dir *open_dir(struct evaio_dir *dir, const char *path) {
  struct outcome outcome = {0};
  evaio_open_dir(aio, dir, path, got_dir, &outcome);
  CHECK(outcome.calls == 0);
  run();
  CHECK(outcome.calls == 1 && outcome.dir != NULL);
  return outcome.dir;
}

static struct outcome made;

// Waits for the result of the call before.
static ssize_t result(void) {
  run();
  CHECK(made.calls == 1);
  ssize_t result = made.result;
  if (result == -1) errno = made.error.code;
  made.calls = 0;
  return result;
}

static void write_file(const char *path, const char *bytes) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(file >= 0);
  CHECK(write(file, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
  close(file);
}

// valgrind has no openat2(2). Without it every symbolic link is refused.
static bool is_refusal(int code, bool is_link) {
  bool has_openat2 = syscall(SYS_openat2, -1, "", NULL, 0) != -1 || errno != ENOSYS;
  return code == (is_link && !has_openat2 ? ELOOP : EXDEV);
}

static void paths_do_not_lead_out_of_a_directory(void) {
  CHECK(mkdir("inside", 0755) == 0);
  write_file("outside", "secret");
  CHECK(symlink("../outside", "inside/link") == 0);
  struct evaio_dir *dir = open_dir(NULL, "inside");
  const char *paths[] = {"../outside", "link", "/etc/passwd"};
  for (int i = 0; i < 3; i++) {
    struct outcome outcome = {0};
    evaio_open(aio, dir, paths[i], O_RDONLY, 0, got_file, &outcome);
    run();
    CHECK(outcome.calls == 1 && is_refusal(outcome.error.code, i == 1));
    evaio_read_file(aio, dir, paths[i], 100, got_data, &outcome);
    run();
    CHECK(outcome.calls == 2 && is_refusal(outcome.error.code, i == 1));
  }
  struct outcome outcome = {0};
  evaio_open(aio, dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600, got_file, &outcome);
  run();
  CHECK(outcome.file != NULL);
  evaio_close(outcome.file, NULL, NULL);
  // From memory, and not inside the call.
  outcome = (struct outcome){0};
  evaio_open(aio, dir, "file", O_RDONLY | O_NONBLOCK, 0, got_file, &outcome);
  CHECK(outcome.calls == 0);
  run();
  CHECK(outcome.calls == 1 && outcome.file != NULL);
  evaio_close(outcome.file, NULL, NULL);
  evaio_close_dir(dir);
  run();
}

static void metadata_is_that_of_the_file(void) {
  struct evaio_file *file = open_file("meta", O_RDWR | O_CREAT);
  struct outcome outcome = {0};
  evaio_truncate(file, 1234, got_result, &made);
  CHECK(result() == 0);
  evaio_truncate(file, -1, got_result, &made);
  CHECK(result() == -1 && errno == EINVAL && made.error.offset == -1);
  evaio_allocate(file, 0, 0, 8192, got_result, &made);
  CHECK(result() == 0);
  evaio_allocate(file, 64, 0, 8192, got_result, &made);
  CHECK(result() == -1 && errno == EINVAL);
  evaio_allocate(file, 0, INT64_MAX, 1, got_result, &made);
  CHECK(result() == -1 && errno == EINVAL);
  evaio_fstat(file, got_status, &outcome);
  run();
  struct stat expected;
  CHECK(stat("meta", &expected) == 0);
  CHECK(expected.st_size == 8192);
  // All members, the unused ones too.
  CHECK(memcmp(&outcome.status, &expected, sizeof expected) == 0);
  CHECK(symlink("meta", "meta-link") == 0);
  evaio_stat(aio, NULL, "meta-link", 0, got_status, &outcome);
  run();
  CHECK(S_ISREG(outcome.status.st_mode));
  evaio_stat(aio, NULL, "meta-link", AT_SYMLINK_NOFOLLOW, got_status, &outcome);
  run();
  CHECK(S_ISLNK(outcome.status.st_mode));
  evaio_stat(aio, NULL, "meta", ~0, got_status, &outcome);
  run();
  CHECK(outcome.calls == 4 && outcome.error.code == EINVAL);
  close_file(file);
}

static void names_are_made_renamed_and_removed(void) {
  struct evaio_dir *here = open_dir(NULL, ".");
  struct evaio_dir *dirs[] = {NULL, here};
  for (int i = 0; i < 2; i++) {
    struct evaio_dir *dir = dirs[i];
    evaio_mkdir(aio, dir, "sub", 0755, got_result, &made);
    CHECK(result() == 0);
    evaio_mkdir(aio, dir, "sub", 0755, got_result, &made);
    CHECK(result() == -1 && errno == EEXIST);
    write_file("sub/a", "a");
    write_file("sub/b", "b");
    evaio_rename(aio, dir, "sub/a", "sub/b", RENAME_NOREPLACE, got_result, &made);
    CHECK(result() == -1 && errno == EEXIST);
    evaio_rename(aio, dir, "sub/a", "sub/b", 0, got_result, &made);
    CHECK(result() == 1);
    evaio_rename(aio, dir, "sub/b", "sub/c", 0, got_result, &made);
    CHECK(result() == 0);
    evaio_rename(aio, dir, "sub/b", "sub/c", RENAME_EXCHANGE, got_result, &made);
    CHECK(result() == -1 && errno == EINVAL);
    evaio_unlink(aio, dir, "sub", 0, got_result, &made);
    CHECK(result() == -1 && errno == EISDIR);
    evaio_unlink(aio, dir, "sub", AT_REMOVEDIR, got_result, &made);
    CHECK(result() == -1 && errno == ENOTEMPTY);
    evaio_unlink(aio, dir, "sub/c", 0, got_result, &made);
    CHECK(result() == 0);
    evaio_unlink(aio, dir, "sub", AT_REMOVEDIR, got_result, &made);
    CHECK(result() == 0);
    evaio_unlink(aio, dir, "sub", 7, got_result, &made);
    CHECK(result() == -1 && errno == EINVAL);
  }
  evaio_close_dir(here);
}

static void got_entries(
    const struct evaio_entry *entries, size_t count, const struct evaio_error *error, void *arg) {
  struct outcome *outcome = arg;
  keep_error(outcome, error);
  outcome->entry_count = count;
  for (size_t i = 0; i < count; i++) {
    CHECK(strncmp(entries[i].name, "entry", 5) == 0);
    CHECK(entries[i].status.st_size == atoi(entries[i].name + 5));
    outcome->result += entries[i].status.st_size;
  }
}

static void a_directory_lists_its_entries(void) {
  CHECK(mkdir("list", 0755) == 0);
  for (int i = 0; i < 10; i++) {
    char path[32], bytes[16] = "..............";
    snprintf(path, sizeof path, "list/entry%d", i);
    bytes[i] = 0;
    write_file(path, bytes);
  }
  struct evaio_dir *dir = open_dir(NULL, "list");
  struct outcome outcome = {0};
  evaio_list(dir, 10, got_entries, &outcome);
  run();
  CHECK(outcome.calls == 1 && outcome.entry_count == 10 && outcome.result == 45);
  evaio_list(dir, 9, got_entries, &outcome);
  run();
  CHECK(outcome.calls == 2 && outcome.error.code == EOVERFLOW && outcome.entry_count == 0);
  evaio_list(dir, 0, got_entries, &outcome);
  run();
  CHECK(outcome.calls == 3 && outcome.error.code == EINVAL);
  evaio_close_dir(dir);
}

static void whole_files_are_read_and_replaced(void) {
  struct evaio_dir *here = open_dir(NULL, ".");
  struct evbuffer *data = evbuffer_new();
  struct outcome read = {0};
  evbuffer_add(data, "first", 5);
  CHECK(evaio_replace_file(aio, NULL, "whole", data, 0600, got_result, &made) != 0);
  CHECK(evbuffer_get_length(data) == 0);
  CHECK(result() == 0);
  evbuffer_add(data, "second", 6);
  evaio_replace_file(aio, here, "whole", data, -1, got_result, &made);
  CHECK(result() == 0);
  struct stat status;
  CHECK(stat("whole", &status) == 0 && (status.st_mode & 07777) == 0600);
  CHECK(evaio_read_file(aio, here, "whole", 6, got_data, &read) != 0);
  run();
  CHECK(read.calls == 1 && has_bytes(read.data, "second"));
  evbuffer_free(read.data);
  evaio_read_file(aio, NULL, "whole", 5, got_data, &read);
  run();
  CHECK(read.calls == 2 && read.error.code == EFBIG);
  evaio_id id = evaio_read_file(aio, NULL, "whole", 6, got_data, &read);
  CHECK(evaio_cancel(aio, id) == 0);
  CHECK(evaio_cancel(aio, id) == -1);
  run();
  CHECK(read.calls == 3 && read.error.code == ECANCELED);
  evaio_read_file(aio, NULL, "whole", SIZE_MAX, got_data, &read);
  run();
  CHECK(read.calls == 4 && has_bytes(read.data, "second"));
  evbuffer_free(read.data);
  CHECK(evaio_replace_file(aio, NULL, "whole", data, 07777 + 1, got_result, &made) == 0);
  CHECK(result() == -1 && errno == EINVAL);
  evbuffer_free(data);
  evaio_close_dir(here);
}

static pthread_t worker;

static void work(void *arg) {
  (void)arg;
  worker = pthread_self();
}

static void offloaded_work_runs_on_another_thread(void) {
  worker = pthread_self();
  evaio_offload(aio, work, got_result, &made);
  CHECK(result() == 0);
  CHECK(!pthread_equal(worker, pthread_self()));
}

int main(void) {
  begin();
  paths_do_not_lead_out_of_a_directory();
  metadata_is_that_of_the_file();
  names_are_made_renamed_and_removed();
  a_directory_lists_its_entries();
  whole_files_are_read_and_replaced();
  offloaded_work_runs_on_another_thread();
  finish();
  return 0;
}
