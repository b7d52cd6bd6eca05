// Tells the thread sanitizer of the order that Swift's own library makes between threads, which it cannot see: that library is not
// instrumented. Preloaded by launch/sanitize thread.
//
// - A Mutex waits, and wakes who waits, in there. Without this, whatever a contended Mutex guards is reported as a race.
// - Counts of references are kept in there. What the last owner of an object does, such as giving its memory back to whoever asks next, comes
//   after all that former owners did; so does a write in place by an owner that found itself the only one.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The sanitizer's, or null in programs that are not instrumented themselves, such as the driver of the tests.
static void (*acquire)(void *);
static void (*release)(void *);

// MARK: Mutex

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Swift's calling convention: the mutex is the context of its methods.
#define SWIFT __attribute__((swiftcall))
#define MUTEX __attribute__((swift_context)) void *mutex

SWIFT void lock_slow(uint32_t thread, MUTEX) __asm__(LOCK);
SWIFT void lock_slow(uint32_t thread, MUTEX) {
    ((SWIFT void (*)(uint32_t, MUTEX))dlsym(RTLD_NEXT, LOCK))(thread, mutex);
    if (acquire) acquire(mutex);
}

SWIFT void unlock_slow(MUTEX) __asm__(UNLOCK);
SWIFT void unlock_slow(MUTEX) {
    if (release) release(mutex);
    ((SWIFT void (*)(MUTEX))dlsym(RTLD_NEXT, UNLOCK))(mutex);
}

// MARK: References

static void (*release_one)(void *);
static void (*release_many)(void *, uint32_t);
static size_t (*count_of)(void *);
static bool (*is_only)(void *);

// Before an owner lets go. Two owners may look at the same time, each before the other has let go: at a count of two either may be the last.
static void let_go(void *object, uint32_t references) {
    if ((intptr_t)object <= 0) return;  // No object, or one that is not counted.
    release(object);
    if (count_of(object) <= (size_t)references + 1) acquire(object);
}

static void let_go_one(void *object) {
    let_go(object, 1);
    release_one(object);
}

static void let_go_many(void *object, uint32_t references) {
    let_go(object, references);
    release_many(object, references);
}

bool swift_isUniquelyReferenced_nonNull_native(void *object) {
    if (!is_only) is_only = (bool (*)(void *))dlsym(RTLD_NEXT, "swift_isUniquelyReferenced_nonNull_native");
    bool only = is_only(object);
    if (only && acquire) acquire(object);
    return only;
}

// Puts a jump to a function where another begins: calls within Swift's library go to it directly, and cannot be caught otherwise.
static bool redirect(void *from, void *to) {
#ifdef __x86_64__
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *const start = (void *)((uintptr_t)from & ~(page - 1));
    if (mprotect(start, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC)) return false;
    const unsigned char jump[6] = {0xFF, 0x25};  // jmp *(%rip)
    memcpy(from, jump, sizeof jump);
    memcpy((char *)from + sizeof jump, &to, sizeof to);
    return !mprotect(start, 2 * page, PROT_READ | PROT_EXEC);
#else
    (void)from, (void)to;
    return false;
#endif
}

// What counts is also in variables of Swift's library, meant for instruments to put their own functions in. That way itself is no good: with
// it, a string short enough to be kept in its reference is counted as if it were an object.
__attribute__((constructor)) static void prepare(void) {
    acquire = (void (*)(void *))dlsym(RTLD_DEFAULT, "__tsan_acquire");
    release = (void (*)(void *))dlsym(RTLD_DEFAULT, "__tsan_release");
    if (!acquire || !release) return;
    void *const one = dlsym(RTLD_DEFAULT, "swift_release");
    void *const many = dlsym(RTLD_DEFAULT, "swift_release_n");
    void (*const *const counts_one)(void *) = dlsym(RTLD_DEFAULT, "_swift_release");
    void (*const *const counts_many)(void *, uint32_t) = dlsym(RTLD_DEFAULT, "_swift_release_n");
    count_of = (size_t (*)(void *))dlsym(RTLD_DEFAULT, "swift_retainCount");
    bool told = one && many && counts_one && counts_many && count_of;
    if (told) {
        release_one = *counts_one;
        release_many = *counts_many;
        told = redirect(one, let_go_one) && redirect(many, let_go_many);
    }
    if (!told) fputs("order.c: the thread sanitizer cannot be told of references here; expect races that are none\n", stderr);
}
