// What Reactor needs of C: of libevent, what is only to be had with the layout of its structs,
// which Swift is better off without; of libc, what Swift's Glibc does not show.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event;

/// Takes an event that is not added yet out of the count of what keeps a base running. libevent
/// does the same with the descriptors that wake it.
void creactor_leave_uncounted(struct event *_Nonnull event);

struct bufferevent;

/// Whether a bufferevent is libevent's own for sockets, which sends files by sendfile(2). All
/// others map them.
bool creactor_is_socket_bufferevent(struct bufferevent *_Nonnull bufferevent);

struct iovec;
struct sockaddr;

/// Takes a waiting client, with a socket that does not block and is closed on exec. Wraps
/// accept4(2), which Swift's Glibc does not show.
int creactor_accept(int socket, struct sockaddr *_Nonnull address, unsigned *_Nonnull byte_count);

/// Sends pieces one after the other, as much as the socket takes without waiting, and without
/// SIGPIPE. Wraps sendmsg(2).
ssize_t creactor_send(int socket, const struct iovec *_Nonnull pieces, size_t count);

/// The same, before more is sent at once: what does not fill a packet waits for that (MSG_MORE).
ssize_t creactor_send_before_more(int socket, const struct iovec *_Nonnull pieces, size_t count);

/// Sends bytes of a file from the page cache, without SIGPIPE, as much as a socket that does not
/// block takes. Waits for pages that are not there. Wraps sendfile(2).
ssize_t creactor_send_file(int socket, int file, int64_t offset, size_t byte_count);

/// A file's size by now, or -1. Wraps fstat(2).
int64_t creactor_file_size(int file);

/// The calling thread's number. Unlike a pthread_t, no other thread of the process ever gets it.
unsigned long creactor_thread_number(void);

/// eventfd(2), non-blocking and close-on-exec.
int creactor_eventfd(void);
