// libevent's core: the event base, its events, and the buffers of its users.
#pragma once
// event-config.h defines _GNU_SOURCE. Reading features.h first fixes the feature set before that,
// and keeps fd_set the same type here as in Swift's Glibc module.
#ifdef __linux__
#include <features.h>
#endif
#ifndef __GLIBC__
#error "swift-aio needs Linux with glibc: it is built on glibc's POSIX AIO and on signalfd(2)."
#endif

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
