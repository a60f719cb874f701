#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "CPosixAIO.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int caio_o_path(void) { return O_PATH; }

int caio_o_tmpfile(void) { return O_TMPFILE; }

int caio_rename_exclusively(int directory_fd, const char *path, int new_directory_fd,
                            const char *new_path) {
    return renameat2(directory_fd, path, new_directory_fd, new_path, RENAME_NOREPLACE);
}

int caio_allocate(int fd, enum caio_allocation kind, int64_t offset, int64_t byteCount) {
    int mode = 0;
    switch (kind) {
    case CAIO_ALLOCATE_EXTENDING:
        break;
    case CAIO_ALLOCATE_KEEPING_SIZE:
        mode = FALLOC_FL_KEEP_SIZE;
        break;
    case CAIO_ALLOCATE_HOLE:
        // The kernel knows no hole that changes the size.
        mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        break;
    case CAIO_ALLOCATE_ZEROS:
        mode = FALLOC_FL_ZERO_RANGE;
        break;
    }
    return fallocate(fd, mode, offset, byteCount);
}

int caio_start_write_back(int fd, int64_t offset, int64_t byteCount) {
    return sync_file_range(fd, offset, byteCount, SYNC_FILE_RANGE_WRITE);
}

int caio_lock(int fd, int type, bool waits, int64_t offset, int64_t byteCount) {
    struct flock lock = {
        .l_type = (short)type, .l_whence = SEEK_SET, .l_start = offset, .l_len = byteCount};
    return fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
}

// linux/openat2.h has it since 5.12; a kernel before that says EINVAL.
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static int open_beneath(int directory_fd, const char *path, int flags, mode_t mode,
                        uint64_t resolve) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned int)flags,
        // openat2 refuses what openat ignores: a mode without a reason for it.
        .mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
        .resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
}

int caio_open_beneath(int directory_fd, const char *path, int flags, mode_t mode) {
    return open_beneath(directory_fd, path, flags, mode, 0);
}

int caio_open_cached(int directory_fd, const char *path, int flags) {
    return open_beneath(directory_fd, path, flags, 0, RESOLVE_CACHED | RESOLVE_NO_XDEV);
}

int caio_open_file_cached(const char *path) {
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS,
    };
    int place = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (place < 0)
        return -1;
    int fd = -1;
    struct stat status;
    // Before the file itself is opened, which on other file systems would ask a server, and of a
    // device may do anything.
    if (fstat(place, &status) == 0 && S_ISREG(status.st_mode) && caio_opens_in_memory(place)) {
        char again[32];
        snprintf(again, sizeof again, "/proc/self/fd/%d", place);
        // O_NONBLOCK: another process's lease is not waited for.
        fd = open(again, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    close(place);
    return fd;
}

bool caio_opens_in_memory(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return false;
    switch (status.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}
