// What Reactor needs of C: of libevent, what is only to be had with the layout of its structs,
// which Swift is better off without; of libc, what Swift's Glibc does not show.
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

struct iovec;
struct sockaddr;

/// Takes a waiting client, with a socket that does not block and is closed on exec. Wraps
/// accept4(2), which Swift's Glibc does not show.
int creactor_accept(int socket, struct sockaddr *_Nonnull address, unsigned *_Nonnull byte_count);

/// Sends pieces one after the other, as much as the socket takes without waiting, and without
/// SIGPIPE. Wraps sendmsg(2).
ssize_t creactor_send(int socket, const struct iovec *_Nonnull pieces, size_t count);

/// Blocks SIGPIPE in the calling thread until the matching release. May be nested.
void creactor_hold_broken_pipes(void);

/// Ends a hold of the calling thread. With the last one, a SIGPIPE that came meanwhile is taken,
/// and the signal is blocked or not as it was before the first. Does nothing without a hold.
void creactor_release_broken_pipes(void);

/// The calling thread's number. Unlike a pthread_t, no other thread of the process ever gets it.
unsigned long creactor_thread_number(void);
