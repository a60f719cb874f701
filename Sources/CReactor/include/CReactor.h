// What Reactor needs of libevent, and is only to be had with the layout of its struct, which Swift
// is better off without: an event is an opaque pointer everywhere else.
#pragma once
#include <stddef.h>
#include <sys/types.h>

struct event;

/// Takes an event that is not added yet out of the count of what keeps a base running. libevent
/// does the same with the descriptors that wake it.
void creactor_leave_uncounted(struct event *_Nonnull event);

/// Begins to count forks.
void creactor_count_forks(void);

/// How many forks lie between this process and the one that began to count.
unsigned creactor_fork_count(void);

struct evhttp_request;

/// The minor version of a request of HTTP/1.
int creactor_minor_version(const struct evhttp_request *_Nonnull request);

/// Sends two pieces one behind the other, as much as the socket takes without waiting, and without
/// SIGPIPE. Wraps sendmsg(2).
ssize_t creactor_send(int socket, const void *_Nullable first, size_t first_count,
                      const void *_Nullable second, size_t second_count);
