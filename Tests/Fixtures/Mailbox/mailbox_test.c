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

#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { depth_limit = 400 };

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
