// Copies a file: reads, writes, and makes it durable, without a thread of its own.
// Usage: copy FROM TO
#include <event2/event.h>
#include <fcntl.h>

#include <cstdio>
#include <evaio.hpp>
#include <vector>

// Keeps itself alive by its callbacks.
struct copy : std::enable_shared_from_this<copy> {
  evaio::file from, to;
  std::vector<char> memory = std::vector<char>(1 << 20);
  std::int64_t offset = 0;
  bool is_done = false;

  void read() {
    from.read(memory.data(), memory.size(), offset, [self = shared_from_this()](
                                                        ssize_t count, const evaio_error *error) {
      if (error != nullptr) return self->fail(error);
      if (count > 0) return self->write(static_cast<std::size_t>(count));
      self->to.sync([self](ssize_t, const evaio_error *failure) {
        if (failure != nullptr) return self->fail(failure);
        self->is_done = true;
      });
    });
  }

  void write(std::size_t count) {
    to.write(memory.data(), count, offset,
             [self = shared_from_this()](ssize_t written, const evaio_error *error) {
               if (error != nullptr) return self->fail(error);
               self->offset += written;
               self->read();
             });
  }

  void fail(const evaio_error *error) {
    std::fprintf(stderr, "copy: %s\n", evaio::describe(error).c_str());
  }
};

int main(int count, char **arguments) {
  if (count != 3) return std::fprintf(stderr, "usage: copy FROM TO\n"), 2;
  std::unique_ptr<event_base, decltype(&event_base_free)> events(
      event_base_new(), event_base_free);
  evaio::base files(events.get());
  auto job = std::make_shared<copy>();
  files.open(arguments[1], O_RDONLY, 0, [&](evaio::file from, const evaio_error *error) {
    if (error != nullptr) return job->fail(error);
    job->from = std::move(from);
    files.open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC, 0666,
               [job](evaio::file to, const evaio_error *failure) {
                 if (failure != nullptr) return job->fail(failure);
                 job->to = std::move(to);
                 job->read();
               });
  });
  event_base_dispatch(events.get());
  return job->is_done ? 0 : 1;
}
