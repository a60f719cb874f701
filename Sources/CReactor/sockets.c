#include "CReactor.h"

#include <sys/socket.h>
#include <sys/uio.h>

ssize_t creactor_send(int socket, const void *first, size_t first_count, const void *second,
                      size_t second_count) {
    // sendmsg(2) only reads what the pieces point to.
    struct iovec pieces[] = {{(void *)first, first_count}, {(void *)second, second_count}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}
