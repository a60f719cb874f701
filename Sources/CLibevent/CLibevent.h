// libevent's core: the event base and its events.
#pragma once
// event-config.h defines _GNU_SOURCE. Reading features.h first fixes the feature set before that,
// and keeps fd_set the same type here as in Swift's Glibc module.
#include <features.h>

#include <event2/event.h>
#include <event2/util.h>
