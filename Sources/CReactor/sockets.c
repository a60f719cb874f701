// For accept4.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "CReactor.h"

#include <sys/socket.h>
#include <sys/uio.h>

int creactor_accept(int socket, struct sockaddr *address, unsigned *byte_count) {
    return accept4(socket, address, byte_count, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static ssize_t send_pieces(int socket, const struct iovec *pieces, size_t count, int flags) {
    // sendmsg(2) only reads the list and what it points to.
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
}

ssize_t creactor_send(int socket, const struct iovec *pieces, size_t count) {
    return send_pieces(socket, pieces, count, 0);
}

ssize_t creactor_send_before_more(int socket, const struct iovec *pieces, size_t count) {
    return send_pieces(socket, pieces, count, MSG_MORE);
}
