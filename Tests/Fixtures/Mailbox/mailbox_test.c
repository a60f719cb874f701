// Runs the signal handler against owners that claim and release its number, in every order in
// which the steps of the two can follow each other: see .ci/mailbox. With FORMER defined, it has to
// find that the mailbox without a generation goes wrong.
//
// Handlers, owners and senders are coroutines of one thread. Before each step that others can see,
// a coroutine stops, and the explorer chooses who goes on. It tries each choice, in the order of a
// depth-first search; the larger scenarios are bounded by the number of times at which one that
// could go on is made to wait, as most races need only one or two.
#define CAIO_TEST_HOOKS
#ifdef FORMER
#include "former.c"
#else
#include "mailbox.c"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { actor_limit = 4, stack_byte_count = 64 * 1024, pipe_limit = 16, depth_limit = 400 };
enum { parent_process = 1, child_process = 2 };

struct actor {
    ucontext_t context;
    void (*body)(void);
    // A handler starts only while it is installed.
    bool is_handler;
    bool is_started;
    bool is_done;
    pid_t process;
    // Which generation a handler is inside of, or -1.
    int64_t entered;
    int claimed_pipe;
    bool waits_for_release;
};

static struct actor actors[actor_limit];
static _Alignas(16) char stacks[actor_limit][stack_byte_count];
static int actor_count, present_actor;
static ucontext_t explorer;

// MARK: The system that the mailbox sees

// Numbers are not used again, so that whoever uses a closed one is found.
struct pipe_state {
    bool is_open;
    bool is_released;
    int64_t generation;
};

static int signo;
static struct pipe_state pipes[pipe_limit];
static int pipe_count;
static struct sigaction disposition;
static bool pipes_are_full;
static const char *violation;

static void check(bool holds, const char *text) {
    if (!holds && violation == NULL)
        violation = text;
}

void model_step(void) { swapcontext(&actors[present_actor].context, &explorer); }

pid_t model_getpid(void) { return actors[present_actor].process; }

ssize_t model_write(int fd, size_t byte_count) {
    model_step();
    struct actor *self = &actors[present_actor];
    check(fd >= 0 && fd < pipe_count && pipes[fd].is_open, "a handler writes to a closed number");
    check(self->entered < 0 || pipes[fd].generation == self->entered,
          "a handler writes to the pipe of a generation that it did not enter");
    check(self->process == parent_process, "a handler in a child writes to its parent's pipe");
    if (!pipes_are_full)
        return (ssize_t)byte_count;
    errno = EAGAIN;
    return -1;
}

int model_close(int fd) {
    model_step();
    bool is_open = fd >= 0 && fd < pipe_count && pipes[fd].is_open;
    check(is_open, "a closed number is closed");
    check(!is_open || pipes[fd].is_released, "a pipe is closed whose owner has not released it");
    if (is_open)
        pipes[fd].is_open = false;
    return 0;
}

int model_sigaction(int number, const struct sigaction *action, struct sigaction *former) {
    (void)number;
    model_step();
    if (former != NULL)
        *former = disposition;
    if (action != NULL)
        disposition = *action;
    return 0;
}

static bool is_handled(void) { return disposition.sa_sigaction == deliver; }

// MARK: Who takes part

// Returns the pipe, or -1 where the claim is refused.
static int claim(void) {
    int fd = pipe_count++;
    check(pipe_count < pipe_limit, "the test needs more pipes");
    pipes[fd] = (struct pipe_state){.is_open = true};
    actors[present_actor].claimed_pipe = fd;
    if (caio_signal_claim(signo, fd) == 0)
        return fd;
    check(errno == EBUSY, "a claim is refused with EBUSY");
    pipes[fd].is_open = false;
    return -1;
}

static int present_pipe;

static void release(bool keep_ignored) {
    if (present_pipe < 0)
        return;
    pipes[present_pipe].is_released = true;
    caio_signal_release(signo, keep_ignored);
}

static void handle(void) {
    siginfo_t info = {.si_signo = signo, .si_code = SI_ASYNCIO};
    deliver(signo, &info, NULL);
}

static void own_twice(void) {
    release(false);
    present_pipe = claim();
    check(present_pipe >= 0, "a handler of the last owner does not keep the number from the next");
}

static void own_three_times(void) {
    own_twice();
    release(false);
    present_pipe = claim();
    release(false);
}

static bool orphan_is_left;

static void leave_orphan(void) {
    release(true);
    orphan_is_left = true;
    present_pipe = claim();
    release(false);
}

// An operation that ends after its owner: it sends its signal, and then nothing is left.
static void end_orphan(void) {
    model_step();
    check(disposition.sa_handler != SIG_DFL, "the signal of an orphan ends the process");
    if (is_handled())
        handle();
    // Only the queue that is gone counts it as an orphan.
    actors[present_actor].waits_for_release = true;
    model_step();
    caio_signal_restore(signo);
}

static void claim_too(void) {
    int fd = claim();
    if (fd < 0)
        return;
    pipes[fd].is_released = true;
    caio_signal_release(signo, false);
}

// MARK: The explorer

static uint8_t choices[depth_limit], option_counts[depth_limit];
static int depth;

static void run_actor(void) {
    actors[present_actor].body();
    actors[present_actor].is_done = true;
}

static bool can_go_on(int index) {
    struct actor *actor = &actors[index];
    if (actor->is_done || (actor->waits_for_release && !orphan_is_left))
        return false;
    return actor->is_started || !actor->is_handler || is_handled();
}

#ifndef FORMER
// Looks at what a step has done to the word.
static void note_change(struct actor *actor, uint64_t before) {
    uint64_t after = atomic_load(&mailboxes[signo].word);
    uint32_t generation = generation_of(before);
    if (generation_of(after) != generation) {
        check((before & is_open) == 0, "a number has two owners");
        pipes[actor->claimed_pipe].generation = generation_of(after);
    }
    if (users_of(after, generation) > users_of(before, generation)) {
        check((before & is_open) != 0, "a handler enters a generation that is shut");
        actor->entered = generation;
    }
}
#endif

static void go_on(int index) {
    struct actor *actor = &actors[index];
    present_actor = index;
    if (!actor->is_started) {
        actor->is_started = true;
        getcontext(&actor->context);
        actor->context.uc_stack.ss_sp = stacks[index];
        actor->context.uc_stack.ss_size = stack_byte_count;
        actor->context.uc_link = &explorer;
        makecontext(&actor->context, run_actor, 0);
    }
#ifndef FORMER
    uint64_t before = atomic_load(&mailboxes[signo].word);
#endif
    swapcontext(&explorer, &actor->context);
#ifndef FORMER
    note_change(actor, before);
#endif
}

// The one that has just run comes first, so that the first run is one after the other.
static int list_options(int last, bool may_switch, int *options) {
    int count = 0;
    if (last >= 0 && can_go_on(last)) {
        options[count++] = last;
        if (!may_switch)
            return count;
    }
    for (int index = 0; index < actor_count; ++index) {
        if (index != last && can_go_on(index))
            options[count++] = index;
    }
    return count;
}

static void run_once(int switch_limit) {
    int last = -1, options[actor_limit], count;
    for (depth = 0; (count = list_options(last, switch_limit > 0, options)) > 0; ++depth) {
        if (depth == depth_limit)
            abort();
        option_counts[depth] = (uint8_t)count;
        int chosen = options[choices[depth]];
        if (last >= 0 && chosen != last && options[0] == last)
            switch_limit -= 1;
        last = chosen;
        go_on(chosen);
    }
}

// The next leaf of the tree of choices; false when there is none.
static bool advance(void) {
    while (depth > 0) {
        depth -= 1;
        if (choices[depth] + 1 < option_counts[depth]) {
            choices[depth] += 1;
            memset(choices + depth + 1, 0, sizeof choices - (size_t)depth - 1);
            return true;
        }
    }
    return false;
}

struct scenario {
    const char *name;
    void (*bodies[actor_limit])(void);
    bool ends_unowned;
    bool is_full;
    bool is_in_child;
    // Of what the former mailbox did not have.
    bool is_new;
    int switch_limit;
};

static void prepare(const struct scenario *scenario) {
    memset(mailboxes, 0, sizeof mailboxes);
    memset(pipes, 0, sizeof pipes);
    memset(actors, 0, sizeof actors);
    disposition = (struct sigaction){.sa_handler = SIG_DFL};
    pipe_count = 0;
    orphan_is_left = false;
    pipes_are_full = scenario->is_full;
    for (actor_count = 0; scenario->bodies[actor_count] != NULL; ++actor_count) {
        struct actor *actor = &actors[actor_count];
        actor->body = scenario->bodies[actor_count];
        actor->is_handler = actor->body == handle;
        actor->process =
            actor->is_handler && scenario->is_in_child ? child_process : parent_process;
        actor->entered = -1;
    }
}

static void begin_owned(void) { present_pipe = claim(); }

static void check_end(const struct scenario *scenario) {
    for (int fd = 0; fd < pipe_count; ++fd) {
        check(pipes[fd].is_open == (fd == present_pipe && !pipes[fd].is_released),
              "a pipe is left open");
    }
    if (scenario->ends_unowned) {
        check(disposition.sa_handler == SIG_DFL, "the disposition is not the default at the end");
#ifndef FORMER
        check(atomic_load(&mailboxes[signo].holders) == 0, "the number is not free at the end");
#endif
    }
}

// The number of schedules with a violation.
static long explore(const struct scenario *scenario) {
    long count = 0, violated = 0;
    const char *first = NULL;
    memset(choices, 0, sizeof choices);
    do {
        violation = NULL;
        prepare(scenario);
        // The first owner claims before anybody else takes part.
        void (*body)(void) = actors[0].body;
        actors[0].body = begin_owned;
        while (!actors[0].is_done)
            go_on(0);
        actors[0] = (struct actor){.body = body, .process = parent_process, .entered = -1};
        run_once(scenario->switch_limit);
        check_end(scenario);
        count += 1;
        violated += violation != NULL;
        if (first == NULL)
            first = violation;
    } while (advance());
    printf("%s: %ld schedules, %ld violated%s%s\n", scenario->name, count, violated,
           first == NULL ? "" : ", for one: ", first == NULL ? "" : first);
    return violated;
}

enum { unbounded = 1000 };

static const struct scenario scenarios[] = {
    {.name = "a handler, a release, a claim",
     .bodies = {own_twice, handle},
     .switch_limit = unbounded},
    {.name = "a handler that finds the pipe full",
     .bodies = {own_twice, handle},
     .is_full = true,
     .switch_limit = 4},
    {.name = "a handler, three owners",
     .bodies = {own_three_times, handle},
     .ends_unowned = true,
     .switch_limit = 4},
    {.name = "two handlers, three owners",
     .bodies = {own_three_times, handle, handle},
     .ends_unowned = true,
     .switch_limit = 3},
    {.name = "a handler in a child",
     .bodies = {own_twice, handle},
     .is_in_child = true,
     .is_new = true,
     .switch_limit = unbounded},
    {.name = "an orphan, two owners",
     .bodies = {leave_orphan, end_orphan, claim_too},
     .ends_unowned = true,
     .is_new = true,
     .switch_limit = 3},
    {.name = "an orphan, two owners, a handler",
     .bodies = {leave_orphan, end_orphan, handle},
     .ends_unowned = true,
     .is_new = true,
     .switch_limit = 3},
};

int main(void) {
#ifdef FORMER
    bool is_former = true;
#else
    bool is_former = false;
#endif
    signo = SIGRTMIN;
    long violated = 0;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; ++i) {
        if (!is_former || !scenarios[i].is_new)
            violated += explore(&scenarios[i]);
    }
    return (violated > 0) == is_former ? EXIT_SUCCESS : EXIT_FAILURE;
}
