// A server in C with an event base of its own, as it may have been there before any Swift. It sends
// each line back, except these, and these as well while there is no file IO:
//
//   /PATH    answered by "ok COUNT" and that many bytes of the file, or by "error ERRNO"
//   open     begins with file IO; answered by "opened"
//   close    ends it, what is under way included; answered by "closed"
//   events   answered by the number of events in the base, whoever added them
#pragma once

#include <stddef.h>
#include <stdint.h>

struct event_base;

/// Listens on a port of the loopback interface, 0 for a free one, and says so in one line. Runs its
/// base until SIGTERM, and then until nothing is under way any more.
///
/// Returns 0, or 1 if it could not listen.
int line_server_run(uint16_t port);

// The file IO that the server calls. It is written in Swift.

/// The file IO of one event base.
struct files;

/// Gets the bytes of a file, for the length of the call, or an errno that is not 0.
typedef void (*files_done)(
    void *_Nullable context, const void *_Nullable bytes, size_t count, int error);

/// Begins with file IO in a base. Returns NULL if there can be none.
struct files *_Nullable files_open(struct event_base *_Nonnull base);

/// Reads a whole file. `done` is called once, on the thread of the base, and not from in here.
void files_read(
    struct files *_Nonnull files, const char *_Nonnull path, files_done _Nonnull done,
    void *_Nullable context);

/// Ends it. What is under way is done first, and keeps `event_base_dispatch` running until then;
/// the base may be freed after that has returned.
void files_close(struct files *_Nonnull files);
