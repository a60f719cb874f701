#include "CReactor.h"

#include <event2/event_struct.h>

void creactor_leave_uncounted(struct event *event) {
  event->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
}
