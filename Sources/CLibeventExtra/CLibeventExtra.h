// libevent's protocols, of which this package uses evhttp only.
#pragma once
// As in CLibevent.h: features.h before any header of libevent.
#include <features.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
