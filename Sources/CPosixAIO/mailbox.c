#include "CPosixAIO.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

// One mailbox for each signal number. The handler runs on any thread at any moment: also while the
// owner gives the number back, and after another owner has claimed it. So who may use which pipe is
// decided by one atomic word, which holds
//
//   - the generation, which each claim raises by one,
//   - whether that generation is open, from its claim to its release,
//   - how many handlers are inside of the generations with an odd and with an even number.
//
// A handler enters by one compare-and-swap, and only an open generation, which it remembers. Each
// generation has a slot with its pipe, an odd one the first, an even one the second.
//
//   - Nobody enters a generation that was shut, for the generation never comes back.
//   - A slot is filled only while nobody is inside of it: a claim that finds a handler of two
//     generations ago still there is refused with EBUSY. So a handler finds the pipe of the
//     generation that it entered, whatever the owners do meanwhile.
//   - The pipe is closed once: by the release if it shuts the generation with nobody inside, else
//     by the last handler to leave. That one closes the pipe before it leaves, so until then the
//     slot is not filled anew; and nobody can come after it, since the generation is shut. Those
//     that write are inside, so the pipe is still open, and its number nobody else's.
//
// Handlers touch nothing else. `holders` is the owners' business: whether the number has one, and
// how many former owners have operations in glibc that will still send the signal. As long as there
// are such, the disposition is SIG_IGN between two owners, and never SIG_DFL, which would end the
// process.
struct slot {
    int pipe_write_fd;
    _Atomic uint64_t strays;
    _Atomic bool overflow;
};

struct mailbox {
    _Atomic uint64_t word;
    _Atomic pid_t process;
    _Atomic uint32_t holders;
    struct slot slots[2];
};

enum { users_bits = 15, users_max = (1 << users_bits) - 1, generation_shift = 32 };
static const uint64_t is_open = UINT64_C(1) << 31;
static const uint32_t owned = UINT32_C(1) << 31;

// The largest signal number of Linux is 64.
enum { mailbox_count = 65 };
static struct mailbox mailboxes[mailbox_count];

#ifdef CAIO_TEST_HOOKS
// Tests/Fixtures/Mailbox: another thread may go on here, and the system calls are a model's.
#include "hooks.h"
#else
#define STEP() ((void)0)
#endif

static uint32_t generation_of(uint64_t word) { return (uint32_t)(word >> generation_shift); }

static int shift_of(uint32_t generation) { return generation % 2 == 0 ? 0 : users_bits; }

static uint64_t one_user_of(uint32_t generation) { return UINT64_C(1) << shift_of(generation); }

static uint64_t users_of(uint64_t word, uint32_t generation) {
    return word >> shift_of(generation) & users_max;
}

static struct slot *slot_of(struct mailbox *box, uint32_t generation) {
    return &box->slots[generation % 2];
}

// MARK: The handler

static bool enter(struct mailbox *box, uint32_t *generation) {
    STEP();
    uint64_t word = atomic_load(&box->word);
    do {
        *generation = generation_of(word);
        // With 32,767 threads inside, this one's value is left to the backstop.
        if ((word & is_open) == 0 || users_of(word, *generation) == users_max)
            return false;
        STEP();
    } while (!atomic_compare_exchange_strong(&box->word, &word, word + one_user_of(*generation)));
    return true;
}

static void leave(struct mailbox *box, uint32_t generation) {
    STEP();
    uint64_t word = atomic_load(&box->word);
    while (true) {
        bool is_over = generation_of(word) != generation || (word & is_open) == 0;
        if (is_over && users_of(word, generation) == 1) {
            // The last one of a generation that is over: nobody comes, and the slot is this one's.
            close(slot_of(box, generation)->pipe_write_fd);
            STEP();
            atomic_fetch_sub(&box->word, one_user_of(generation));
            return;
        }
        STEP();
        if (atomic_compare_exchange_strong(&box->word, &word, word - one_user_of(generation)))
            return;
    }
}

static void pass_on(struct slot *slot, uint64_t value) {
    // Eight bytes into a pipe are written whole or not at all.
    if (write(slot->pipe_write_fd, &value, sizeof value) != sizeof value) {
        STEP();
        atomic_store(&slot->overflow, true);
        // The owner looks at the flag when it has read the pipe. It may have emptied the pipe in
        // between, so this makes sure that there is something to read after the flag was set.
        value = 0;
        if (write(slot->pipe_write_fd, &value, sizeof value) != sizeof value) {
            // Full, so it is readable.
        }
    }
    STEP();
    atomic_fetch_add(&slot->strays, 1);
}

// Async-signal-safe: lock-free atomics, getpid(2), write(2) and close(2) only, and errno is put
// back.
static void deliver(int signo, siginfo_t *info, void *context) {
    (void)context;
    int saved_errno = errno;
    struct mailbox *box = &mailboxes[signo];
    uint32_t generation;
    // A child by fork(2), vfork(2) or clone(2) has its parent's pipe, and with vfork its mailbox.
    if (atomic_load(&box->process) == getpid() && enter(box, &generation)) {
        pass_on(slot_of(box, generation),
                info->si_code == SI_ASYNCIO ? (uintptr_t)info->si_value.sival_ptr : 0);
        leave(box, generation);
    }
    errno = saved_errno;
}

// MARK: Owners

int caio_sigrtmin(void) { return SIGRTMIN; }

int caio_sigrtmax(void) { return SIGRTMAX; }

static int set_disposition(int signo, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    return sigaction(signo, &action, NULL);
}

static bool is_ignored(int signo) {
    struct sigaction present;
    return sigaction(signo, NULL, &present) == 0 && present.sa_handler == SIG_IGN;
}

// Ends an ownership that left the disposition at SIG_IGN.
static void disown(struct mailbox *box, int signo) {
    STEP();
    uint32_t holders = atomic_load(&box->holders);
    do {
        if ((holders & ~owned) == 0) {
            // What is pending was discarded with SIG_IGN, and nothing sends the signal any more.
            set_disposition(signo, SIG_DFL);
        }
        STEP();
        // Fails if the last orphan has ended meanwhile: it left the disposition to this owner.
    } while (!atomic_compare_exchange_strong(&box->holders, &holders, holders & ~owned));
}

// Returns an errno, or 0.
static int install(struct mailbox *box, int signo, bool was_left_ignored, int pipe_write_fd) {
    STEP();
    uint64_t word = atomic_load(&box->word);
    uint32_t generation = generation_of(word) + 1;
    if (users_of(word, generation) != 0)
        return EBUSY;
    struct sigaction present;
    if (sigaction(signo, NULL, &present) != 0)
        return EBUSY;
    if (present.sa_handler != (was_left_ignored ? SIG_IGN : SIG_DFL))
        return EBUSY;
    struct slot *slot = slot_of(box, generation);
    slot->pipe_write_fd = pipe_write_fd;
    atomic_store(&slot->strays, 0);
    atomic_store(&slot->overflow, false);
    atomic_store(&box->process, getpid());

    // SA_ONSTACK: on a small stack, such as a coroutine's, the thread may have another for signals.
    struct sigaction action = {.sa_sigaction = deliver,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    if (sigaction(signo, &action, NULL) != 0)
        return errno;
    // Last, so that what fails has nobody inside. The generation wraps out of the word.
    STEP();
    atomic_fetch_add(&box->word, (UINT64_C(1) << generation_shift) | is_open);
    return 0;
}

int caio_signal_claim(int signo, int pipe_write_fd) {
    if (signo < SIGRTMIN || signo > SIGRTMAX || signo >= mailbox_count) {
        errno = EINVAL;
        return -1;
    }
    struct mailbox *box = &mailboxes[signo];
    STEP();
    uint32_t holders = atomic_load(&box->holders);
    do {
        if ((holders & owned) != 0) {
            errno = EBUSY;
            return -1;
        }
        STEP();
    } while (!atomic_compare_exchange_strong(&box->holders, &holders, holders | owned));
    int reason = install(box, signo, holders != 0, pipe_write_fd);
    if (reason == 0)
        return 0;
    if (holders != 0 && is_ignored(signo)) {
        disown(box, signo);
    } else {
        // The disposition is somebody else's.
        STEP();
        atomic_fetch_and(&box->holders, ~owned);
    }
    errno = reason;
    return -1;
}

void caio_signal_release(int signo, bool keep_ignored) {
    struct mailbox *box = &mailboxes[signo];
    if (keep_ignored)
        atomic_fetch_add(&box->holders, 1);
    // SIG_IGN first: it discards what is pending, which SIG_DFL would let kill the process.
    set_disposition(signo, SIG_IGN);
    STEP();
    uint64_t word = atomic_fetch_and(&box->word, ~is_open);
    uint32_t generation = generation_of(word);
    if (users_of(word, generation) == 0)
        close(slot_of(box, generation)->pipe_write_fd);
    disown(box, signo);
}

bool caio_signal_restore(int signo) {
    struct mailbox *box = &mailboxes[signo];
    STEP();
    uint32_t holders = atomic_load(&box->holders), fewer;
    do {
        if ((holders & ~owned) == 0)
            return false;
        // The last one owns the number while it sees to the disposition. With an owner it leaves
        // that to the owner.
        fewer = holders == 1 ? owned : holders - 1;
        STEP();
    } while (!atomic_compare_exchange_strong(&box->holders, &holders, fewer));
    if (holders != 1)
        return true;
    if (is_ignored(signo)) {
        // Once more, for what came to a thread that blocks it.
        set_disposition(signo, SIG_IGN);
        disown(box, signo);
    } else {
        // Somebody else has a handler there by now.
        STEP();
        atomic_fetch_and(&box->holders, ~owned);
    }
    return true;
}

static struct slot *present_slot(int signo) {
    struct mailbox *box = &mailboxes[signo];
    return slot_of(box, generation_of(atomic_load(&box->word)));
}

uint64_t caio_signal_strays(int signo) { return atomic_load(&present_slot(signo)->strays); }

bool caio_signal_take_overflow(int signo) {
    struct slot *slot = present_slot(signo);
    return atomic_load(&slot->overflow) && atomic_exchange(&slot->overflow, false);
}
