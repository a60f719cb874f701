// What the figures were measured on, and with.
#define _GNU_SOURCE
#include "measure.h"

#include <gnu/libc-version.h>
#include <linux/magic.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/vfs.h>

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

const char *bench_liburing_version(void) {
    static char resolved[4096];
    if (realpath(bench_liburing_file(), resolved) == NULL)
        return "unknown";
    char *name = strrchr(resolved, '/');
    return name != NULL ? name + 1 : resolved;
}

const char *bench_libc_version(void) { return gnu_get_libc_version(); }

static const struct {
    int64_t magic;
    const char *name;
} file_systems[] = {
    {EXT4_SUPER_MAGIC, "ext2/3/4"}, {BTRFS_SUPER_MAGIC, "btrfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlayfs"}, {TMPFS_MAGIC, "tmpfs"}, {XFS_SUPER_MAGIC, "xfs"},
    {F2FS_SUPER_MAGIC, "f2fs"}, {NFS_SUPER_MAGIC, "nfs"},
};

const char *bench_file_system(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return "unknown";
    for (size_t index = 0; index < sizeof file_systems / sizeof file_systems[0]; index++)
        if ((int64_t)status.f_type == file_systems[index].magic)
            return file_systems[index].name;
    static char number[24];
    snprintf(number, sizeof number, "0x%llx", (unsigned long long)status.f_type);
    return number;
}
