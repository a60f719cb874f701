#include "CReactor.h"

#include <pthread.h>

static unsigned fork_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Runs in the child, which has one thread.
static void forked(void) { fork_count += 1; }

static void install(void) { pthread_atfork(NULL, NULL, forked); }

void creactor_count_forks(void) { pthread_once(&once, install); }

unsigned creactor_fork_count(void) { return fork_count; }
