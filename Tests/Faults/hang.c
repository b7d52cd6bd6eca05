// Preloaded into a rank: opening a file whose path begins with HANG_PATH waits for ever, as it does on a file server that does not answer.
// Instead of the file, the pipe HANG_PIPE is opened, into which nobody writes.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void hang_if_named(const char *path) {
    const char *name = getenv("HANG_PATH"), *pipe = getenv("HANG_PIPE");
    if (!name || !pipe || !path || strncmp(name, path, strlen(name)) != 0) return;
    syscall(SYS_openat, AT_FDCWD, pipe, O_RDONLY);
}

#define REPLACED(function)                                                        \
    int function(const char *path, int flags, ...) {                              \
        va_list arguments;                                                        \
        va_start(arguments, flags);                                               \
        int mode = va_arg(arguments, int);                                        \
        va_end(arguments);                                                        \
        hang_if_named(path);                                                      \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #function);        \
        return real(path, flags, mode);                                           \
    }

REPLACED(open)
REPLACED(open64)
