#define _GNU_SOURCE
#include "CFaults.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t cfaults_fork(int (*body)(void *), void *context, unsigned seconds) {
    pid_t child = fork();
    if (child == 0) {
        alarm(seconds);
        _exit(body(context));
    }
    return child;
}

int cfaults_announce(int signo, uint64_t value) {
    siginfo_t info = {.si_signo = signo, .si_code = SI_ASYNCIO};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)(uintptr_t)value;
    return (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signo, &info);
}

int cfaults_small_disk(size_t byte_count) {
    char size[32];
    snprintf(size, sizeof size, "%zu", byte_count);
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    int root = -1;
    if (fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) == 0 &&
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        root = fsmount(context, FSMOUNT_CLOEXEC, 0);
    int reason = errno;
    close(context);
    errno = reason;
    return root;
}

size_t cfaults_heap_byte_count(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int cfaults_make_read_only(int disk) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    return mount_setattr(disk, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}
