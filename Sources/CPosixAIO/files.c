#define _GNU_SOURCE
#include "CPosixAIO.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <unistd.h>

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
