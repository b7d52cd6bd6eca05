// A file system that fails, laid between a program and the C library: LD_PRELOAD=libfaulty.so. For tests of checkpoints.
//
// Counts the calls that change files below FAULT_UNDER, or look into them, from the first one that concerns FAULT_FROM on. Call number
// FAULT_AT (from 1) fails:
//   FAULT_KIND=kill       the process is killed in its place, so that everything before it happened and it did not
//   FAULT_KIND=EIO …      it returns that error (EIO, ENOSPC, EROFS, EACCES, EMFILE); with FAULT_ALWAYS=1 so do all after it
//   FAULT_KIND=short      a write writes half of what it was given (no error: writers must go on)
// FAULT_LOG=FILE gets a line for each call: its number and name. Without FAULT_AT nothing fails: that is how calls are counted.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int armed, count;

#define REAL(name, ...) static typeof(&name) real; if (!real) real = (typeof(&name))dlsym(RTLD_NEXT, #name)

static int number(const char *name, int absent) { const char *text = getenv(name); return text ? atoi(text) : absent; }

static void say(int n, const char *call) {
    const char *path = getenv("FAULT_LOG");
    if (!path) return;
    REAL(open);
    int descriptor = real(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    char line[64];
    int length = snprintf(line, sizeof line, "%d %s\n", n, call);
    static ssize_t (*put)(int, const void *, size_t);
    if (!put) put = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (descriptor >= 0 && put(descriptor, line, length) < 0) {}
    static int (*end)(int);
    if (!end) end = (int (*)(int))dlsym(RTLD_NEXT, "close");
    if (descriptor >= 0) end(descriptor);
}

// Whether this call is the one: 0, or the error to return, or -1 for half a write.
static int fault(const char *path, const char *call) {
    const char *under = getenv("FAULT_UNDER"), *from = getenv("FAULT_FROM"), *kind = getenv("FAULT_KIND");
    if (!under || !path || !strstr(path, under)) return 0;
    if (!atomic_load(&armed)) {
        if (from && !strstr(path, from)) return 0;
        atomic_store(&armed, 1);
    }
    int n = atomic_fetch_add(&count, 1) + 1, at = number("FAULT_AT", 0);
    say(n, call);
    if (!kind || !at || !(n == at || (n > at && number("FAULT_ALWAYS", 0)))) return 0;
    if (!strcmp(kind, "kill")) { kill(getpid(), SIGKILL); pause(); }
    if (!strcmp(kind, "short")) return -1;
    if (!strcmp(kind, "ENOSPC")) return ENOSPC;
    if (!strcmp(kind, "EROFS")) return EROFS;
    if (!strcmp(kind, "EACCES")) return EACCES;
    if (!strcmp(kind, "EMFILE")) return EMFILE;
    return EIO;
}

static int faultOf(int descriptor, const char *call) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fault(path, call);
}

#define FAIL(error) do { int failure = (error); if (failure > 0) { errno = failure; return -1; } } while (0)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list list; va_start(list, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
        va_end(list); \
        FAIL(fault(path, #name)); \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int directory, const char *path, int flags, ...) { \
        REAL(name); \
        va_list list; va_start(list, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
        va_end(list); \
        FAIL(fault(path, #name)); \
        return real(directory, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int descriptor, const void *bytes, size_t size) {
    REAL(write);
    int code = faultOf(descriptor, "write");
    FAIL(code);
    return real(descriptor, bytes, code < 0 && size > 1 ? size / 2 : size);
}

ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset) {
    REAL(pread);
    FAIL(faultOf(descriptor, "pread"));
    return real(descriptor, bytes, size, offset);
}

ssize_t pread64(int descriptor, void *bytes, size_t size, off64_t offset) {
    REAL(pread64);
    FAIL(faultOf(descriptor, "pread"));
    return real(descriptor, bytes, size, offset);
}

int fsync(int descriptor) { REAL(fsync); FAIL(faultOf(descriptor, "fsync")); return real(descriptor); }
int fdatasync(int descriptor) { REAL(fdatasync); FAIL(faultOf(descriptor, "fdatasync")); return real(descriptor); }

int ftruncate(int descriptor, off_t length) {
    REAL(ftruncate);
    FAIL(faultOf(descriptor, "ftruncate"));
    return real(descriptor, length);
}

// An error of close closes all the same.
int close(int descriptor) {
    REAL(close);
    int code = faultOf(descriptor, "close"), result = real(descriptor);
    FAIL(code);
    return result;
}

int rename(const char *from, const char *to) { REAL(rename); FAIL(fault(to, "rename")); return real(from, to); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); FAIL(fault(path, "mkdir")); return real(path, mode); }
int unlink(const char *path) { REAL(unlink); FAIL(fault(path, "unlink")); return real(path); }
int rmdir(const char *path) { REAL(rmdir); FAIL(fault(path, "rmdir")); return real(path); }

// Relative to a directory that is open, as when a tree is removed.
int unlinkat(int directory, const char *path, int flags) {
    REAL(unlinkat);
    FAIL(path[0] == '/' ? fault(path, "unlinkat") : faultOf(directory, "unlinkat"));
    return real(directory, path, flags);
}
