#include "CReactor.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event_struct.h>
#include <stdatomic.h>

void creactor_leave_uncounted(struct event *event) {
  event->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
}

bool creactor_is_socket_bufferevent(struct bufferevent *bufferevent) {
  // The same for all of them; libevent does not show it.
  static _Atomic(const void *) operations_of_sockets;
  const void *known = atomic_load(&operations_of_sockets);
  if (known == NULL) {
    struct bufferevent *socket =
        bufferevent_socket_new(bufferevent_get_base(bufferevent), -1, 0);
    if (socket == NULL) return false;
    known = socket->be_ops;
    bufferevent_free(socket);
    atomic_store(&operations_of_sockets, known);
  }
  return bufferevent->be_ops == known;
}
