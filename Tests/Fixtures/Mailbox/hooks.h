// What Sources/CPosixAIO/mailbox.c calls in place of the system, in a test: see mailbox_test.c.
#pragma once
#include <signal.h>
#include <sys/types.h>

void model_step(void);
ssize_t model_write(int fd, size_t byte_count);
int model_close(int fd);
pid_t model_getpid(void);
int model_sigaction(int signo, const struct sigaction *action, struct sigaction *former);

#define STEP() model_step()
#define write(fd, bytes, byte_count) model_write(fd, byte_count)
#define close(fd) model_close(fd)
#define getpid() model_getpid()
// The struct of this name is not followed by a parenthesis.
#define sigaction(signo, action, former) model_sigaction(signo, action, former)
