// evaio for C++17: objects that close themselves, and callbacks of any type that can be called.
//
// A callback has the parameters of its C type, without the last, such as (ssize_t result, const
// evaio_error *error). It is called once and then destroyed, with everything that it owns, and must
// not throw. The rules are those of evaio.h. What is not here is called as in C, with get().
#pragma once

#include <evaio.h>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace evaio {
// One line about an error.
inline std::string describe(const evaio_error *error) {
  std::string line(static_cast<std::size_t>(evaio_error_format(error, nullptr, 0)), '\0');
  evaio_error_format(error, line.data(), line.size() + 1);
  return line;
}

namespace detail {
// Moves a callback to the heap, for the argument of a C callback.
template <class Callback>
void *keep(Callback &callback) {
  return new Callback(std::move(callback));
}

// The C callback that calls it once. Noexcept: an exception must not pass through the library.
template <class Callback, class... Values>
void call(Values... values, void *argument) noexcept {
  std::unique_ptr<Callback> callback(static_cast<Callback *>(argument));
  (*callback)(values...);
}

// As call(), for a handle that the callback gets as an object that closes it.
template <class Object, class Callback, class Handle>
void call_with(Handle *handle, const evaio_error *error, void *argument) noexcept {
  std::unique_ptr<Callback> callback(static_cast<Callback *>(argument));
  (*callback)(Object(handle), error);
}

struct release {
  void operator()(evaio_file *file) const { evaio_close(file, nullptr, nullptr); }
  void operator()(evaio_dir *dir) const { evaio_close_dir(dir); }
  void operator()(evaio_base *base) const { evaio_base_free(base); }
};

// Owns a handle of C.
template <class Handle>
class owner {
 public:
  explicit owner(Handle *handle = nullptr) : handle_(handle) {}
  explicit operator bool() const { return handle_ != nullptr; }
  Handle *get() const { return handle_.get(); }

 protected:
  std::unique_ptr<Handle, release> handle_;
};

template <class C>
constexpr evaio_cb result = &call<C, ssize_t, const evaio_error *>;
template <class C>
constexpr evaio_buffer_cb buffer = &call<C, evbuffer *, const evaio_error *>;
}  // namespace detail

// An open file, closed with this object. Empty after an error.
class file : public detail::owner<evaio_file> {
 public:
  using owner::owner;
  template <class C>
  evaio_id read(void *memory, std::size_t size, std::int64_t offset, C callback,
                const timeval *timeout = nullptr) const {
    return evaio_read(
        get(), memory, size, offset, timeout, detail::result<C>, detail::keep(callback));
  }
  template <class C>
  evaio_id read_buffer(std::size_t size, std::int64_t offset, C callback,
                       const timeval *timeout = nullptr) const {
    return evaio_read_buffer(
        get(), size, offset, timeout, detail::buffer<C>, detail::keep(callback));
  }
  template <class C>
  evaio_id write(const void *memory, std::size_t size, std::int64_t offset, C callback,
                 const timeval *timeout = nullptr) const {
    return evaio_write(
        get(), memory, size, offset, timeout, detail::result<C>, detail::keep(callback));
  }
  template <class C>
  evaio_id write(evbuffer *data, std::int64_t offset, C callback,
                 const timeval *timeout = nullptr) const {
    return evaio_write_buffer(
        get(), data, offset, timeout, detail::result<C>, detail::keep(callback));
  }
  template <class C>
  evaio_id sync(C callback, const timeval *timeout = nullptr) const {
    return evaio_sync(get(), timeout, detail::result<C>, detail::keep(callback));
  }
  // Closes it before this object goes, and reports the result.
  template <class C>
  void close(C callback) {
    evaio_close(handle_.release(), detail::result<C>, detail::keep(callback));
  }
};

// An open directory, closed with this object. Empty after an error.
class directory : public detail::owner<evaio_dir> {
 public:
  using owner::owner;
};

// The file IO of an event base, freed with this object. Paths are relative to `in`, if that is
// given and not empty.
class base : public detail::owner<evaio_base> {
 public:
  // Throws std::system_error.
  explicit base(event_base *event_base, const evaio_options *options = nullptr)
      : owner(evaio_base_new(event_base, options)) {
    if (!handle_) throw std::system_error(errno, std::generic_category(), "evaio_base_new");
  }
  bool cancel(evaio_id id) const { return evaio_cancel(get(), id) == 0; }
  bool cancel_waiting(evaio_id id) const { return evaio_cancel_waiting(get(), id) == 0; }

  // The callback gets a file and an error, and moves the file to where it is kept.
  template <class C>
  void open(const char *path, int flags, mode_t mode, C callback, const directory &in = {}) const {
    evaio_open(get(), in.get(), path, flags, mode,
               &detail::call_with<file, C, evaio_file>, detail::keep(callback));
  }
  template <class C>
  void open_directory(const char *path, C callback, const directory &in = {}) const {
    evaio_open_dir(get(), in.get(), path,
                   &detail::call_with<directory, C, evaio_dir>, detail::keep(callback));
  }
  template <class C>
  evaio_id read_file(const char *path, std::size_t limit, C callback,
                     const directory &in = {}) const {
    return evaio_read_file(get(), in.get(), path, limit, detail::buffer<C>,
                           detail::keep(callback));
  }
  template <class C>
  evaio_id replace_file(const char *path, evbuffer *data, int mode, C callback,
                        const directory &in = {}) const {
    return evaio_replace_file(get(), in.get(), path, data, mode, detail::result<C>,
                              detail::keep(callback));
  }
};
}  // namespace evaio
