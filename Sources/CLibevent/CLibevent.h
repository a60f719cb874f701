// libevent's core: the event base, events, buffers, bufferevents and listeners.
#pragma once
// event-config.h defines _GNU_SOURCE. Reading features.h first fixes the feature set before that,
// and keeps fd_set the same type here as in Swift's Glibc module.
#include <features.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
