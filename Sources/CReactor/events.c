#include "CReactor.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event_struct.h>

void creactor_leave_uncounted(struct event *event) {
  event->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
}

// libevent exports it without a header. Weak: without it, no bufferevent is taken for one of these.
extern const struct bufferevent_ops bufferevent_ops_socket __attribute__((weak));

bool creactor_is_socket_bufferevent(struct bufferevent *bufferevent) {
  return &bufferevent_ops_socket != NULL && bufferevent->be_ops == &bufferevent_ops_socket;
}
