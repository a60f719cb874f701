// What the figures were measured on, and with.
#define _GNU_SOURCE
#include "measure.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

int64_t bench_raise_open_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return (int64_t)limit.rlim_cur;
}

int bench_stay_on_processor(bool stays) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    if (stays) {
        CPU_SET(sched_getcpu(), &processors);
    } else {
        for (int number = 0; number < CPU_SETSIZE; number++)
            CPU_SET(number, &processors);
    }
    return sched_setaffinity(0, sizeof processors, &processors);
}

int64_t bench_heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

unsigned bench_major(uint64_t device) { return major(device); }
unsigned bench_minor(uint64_t device) { return minor(device); }

// Debian's headers of liburing do not say which version they are; the library's file name does.
const char *bench_liburing_version(void) {
    static char resolved[4096];
    if (realpath(bench_liburing_file(), resolved) == NULL)
        return "unknown";
    char *version = strstr(resolved, ".so.");
    return version != NULL ? version + strlen(".so.") : "unknown";
}

// Looked up, since it is the reactor that links libevent, and not every program has a reactor.
const char *bench_libevent_version(void) {
    const char *(*version)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "event_get_version");
    return version != NULL ? version() : "unknown";
}

const char *bench_nio_version(void) { return BENCH_NIO_VERSION; }

const char *bench_libc_version(void) { return gnu_get_libc_version(); }
