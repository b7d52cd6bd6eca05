// Tells the thread sanitizer of what it cannot see: Swift's Mutex waits, and wakes who waits, inside the toolchain's library, which is not
// instrumented. Without this, whatever a contended Mutex guards is reported as a race. Preloaded by launch/sanitize thread.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Swift's calling convention: the mutex is the context of its methods.
#define SWIFT __attribute__((swiftcall))
#define MUTEX __attribute__((swift_context)) void *mutex

// Nothing in programs that are not instrumented themselves, such as the driver of the tests.
static void tell(const char *name, void *mutex) {
    void (*call)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, name);
    if (call) call(mutex);
}

SWIFT void lock_slow(uint32_t thread, MUTEX) __asm__(LOCK);
SWIFT void lock_slow(uint32_t thread, MUTEX) {
    ((SWIFT void (*)(uint32_t, MUTEX))dlsym(RTLD_NEXT, LOCK))(thread, mutex);
    tell("__tsan_acquire", mutex);
}

SWIFT void unlock_slow(MUTEX) __asm__(UNLOCK);
SWIFT void unlock_slow(MUTEX) {
    tell("__tsan_release", mutex);
    ((SWIFT void (*)(MUTEX))dlsym(RTLD_NEXT, UNLOCK))(mutex);
}
