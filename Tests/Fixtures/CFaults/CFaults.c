#define _GNU_SOURCE
#include "CFaults.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

pid_t cfaults_fork(int (*body)(void *), void *context, unsigned seconds) {
    pid_t child = fork();
    if (child == 0) {
        alarm(seconds);
        _exit(body(context));
    }
    return child;
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
