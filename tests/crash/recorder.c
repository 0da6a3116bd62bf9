/* What a process does to the files of one folder, in order: the file layer of the power-loss model (`cargo xtask crash`).
 *
 * Loaded by LD_PRELOAD (Linux, glibc). Each change of a file or a name below CRASH_ROOT is carried out and then written,
 * with its data, to CRASH_TRACE; both under one lock, so that the trace has the one order in which they happened. A flush
 * is written twice, before and after, because what others write meanwhile is not covered by it. What is written to
 * CRASH_MARKS, a file elsewhere, is a mark: it says what was acknowledged by then. CRASH_STOP is after how many events the
 * process kills itself.
 *
 * With CRASH_FAULT, a file of eight bytes, nothing need be recorded: while its first four say so, changes fail with that
 * errno, and the other four count how many did.
 *
 * What it cannot record (memory maps that write, copies within the kernel, holes) it says, and the trace is worth nothing.
 * System calls that go past the C library it does not see: whoever reads the trace holds what it comes to against the
 * folder itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { START = 1, OPEN, CLOSE, DUP, WRITE, RESIZE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, MARK, STRANGE };
enum { FDS = 65536, MARKS = 2 };

struct event { uint32_t op; int32_t fd; int64_t at; int64_t extra; uint32_t length; uint32_t ok; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char watched[FDS];
static char root[PATH_MAX], marks[PATH_MAX];
static int trace = -1;
static long stop = -1;
static int64_t syncs;
static volatile int32_t *fault;

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

static ssize_t real_write(int fd, const void *data, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t);
    return real(fd, data, length);
}

static void put(const void *data, size_t length) {
    const char *at = data;
    while (length) {
        ssize_t done = real_write(trace, at, length);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) abort();
        at += done;
        length -= (size_t)done;
    }
}

/* Under the lock. */
static void event(uint32_t op, int fd, int64_t at, int64_t extra, int ok, const void *data, size_t length) {
    if (trace < 0) return;
    int kept = errno;
    struct event head = { op, fd, at, extra, (uint32_t)length, (uint32_t)ok };
    put(&head, sizeof head);
    put(data, length);
    if (stop > 0 && --stop == 0) kill(getpid(), SIGKILL), pause();
    errno = kept;
}

static void strange(const char *what) {
    pthread_mutex_lock(&lock);
    event(STRANGE, -1, 0, 0, 1, what, strlen(what));
    pthread_mutex_unlock(&lock);
}

static int high(int fd) {
    REAL(int, fcntl, int, int, ...);
    return fd < 0 ? fd : real(fd, F_DUPFD_CLOEXEC, 900);
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("CRASH_ROOT"), *to = getenv("CRASH_TRACE"), *from = getenv("CRASH_MARKS");
    const char *after = getenv("CRASH_STOP"), *control = getenv("CRASH_FAULT");
    if (!folder || !realpath(folder, root)) return;
    if (from) snprintf(marks, sizeof marks, "%s", from);
    REAL(int, open, const char *, int, ...);
    if (control) {
        int fd = real(control, O_RDWR | O_CLOEXEC);
        void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (shared == MAP_FAILED) abort();
        fault = shared;
    }
    if (to) {
        int low = real(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        /* Out of the way: a process may count on the numbers it gets. */
        trace = high(low);
        if (trace < 0) abort();
        close(low);
        event(START, -1, 0, 0, 1, NULL, 0);
        if (after) stop = atol(after);
    }
}

/* Where a path leads, the last name as it is; 0 where that is not below the root. */
static int below(int folder, const char *path, char *out) {
    char full[PATH_MAX * 2], parent[PATH_MAX];
    if (!root[0] || !path) return 0;
    int kept = errno;
    if (path[0] == '/') snprintf(full, sizeof full, "%s", path);
    else {
        char here[PATH_MAX], link[64];
        if (folder == AT_FDCWD) {
            if (!getcwd(here, sizeof here)) return errno = kept, 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, here, sizeof here - 1);
            if (length < 0) return errno = kept, 0;
            here[length] = 0;
        }
        snprintf(full, sizeof full, "%s/%s", here, path);
    }
    for (size_t n = strlen(full); n > 1 && full[n - 1] == '/'; n--) full[n - 1] = 0;
    char *last = strrchr(full, '/');
    size_t length = strlen(root);
    if (!strcmp(full, root)) strcpy(out, root);
    else {
        *last++ = 0;
        if (!realpath(full[0] ? full : "/", parent)) return errno = kept, 0;
        if (snprintf(out, PATH_MAX, "%s/%s", parent, last) >= PATH_MAX) return errno = kept, 0;
    }
    errno = kept;
    return !strncmp(out, root, length) && (out[length] == '/' || !out[length]);
}

static int is_watched(int fd) { return fd >= 0 && fd < FDS ? watched[fd] : 0; }

/* Whether a change is to fail. */
static int faulty(void) {
    if (!fault || !fault[0]) return 0;
    __atomic_add_fetch(&fault[1], 1, __ATOMIC_RELAXED);
    errno = fault[0];
    return 1;
}

static int opened(int fd, int folder, const char *path, int flags, const char *full, int inside) {
    (void)folder;
    if (fd < 0 || fd >= FDS) {
        if (fd >= FDS) strange("more files open than can be watched");
        return fd;
    }
    if (marks[0] && !strcmp(path, marks)) watched[fd] = MARKS;
    else if (inside) {
        struct stat found;
        int folder_too = !fstat(fd, &found) && S_ISDIR(found.st_mode);
        watched[fd] = 1;
        event(OPEN, fd, flags, folder_too, 1, full, strlen(full));
    } else watched[fd] = 0;
    return fd;
}

#define OPENS(call) \
    char full[PATH_MAX]; \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    int inside = below(folder, path, full); \
    if (inside && (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) && faulty()) return -1; \
    if (inside && (flags & O_TMPFILE) == O_TMPFILE) strange("a file without a name"); \
    pthread_mutex_lock(&lock); \
    int fd = opened(call, folder, path, flags, full, inside); \
    pthread_mutex_unlock(&lock); \
    return fd

#define OPEN_AS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, name, const char *, int, ...); \
        int folder = AT_FDCWD; \
        OPENS(real(path, flags, mode)); \
    }
#define OPENAT_AS(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(int, name, int, const char *, int, ...); \
        OPENS(real(folder, path, flags, mode)); \
    }
OPEN_AS(open)
OPEN_AS(open64)
OPENAT_AS(openat)
OPENAT_AS(openat64)

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd) {
    REAL(int, close, int);
    pthread_mutex_lock(&lock);
    if (is_watched(fd) == 1) event(CLOSE, fd, 0, 0, 1, NULL, 0);
    if (fd >= 0 && fd < FDS) watched[fd] = 0;
    int result = real(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

/* Under the lock. */
static int duplicated(int from, int to) {
    if (to >= 0 && to < FDS) {
        watched[to] = (unsigned char)is_watched(from);
        if (watched[to] == 1) event(DUP, from, 0, to, 1, NULL, 0);
    }
    return to;
}

int fcntl(int fd, int command, ...) {
    REAL(int, fcntl, int, int, ...);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (command != F_DUPFD && command != F_DUPFD_CLOEXEC) return real(fd, command, argument);
    pthread_mutex_lock(&lock);
    int result = duplicated(fd, real(fd, command, argument));
    pthread_mutex_unlock(&lock);
    return result;
}
int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl(fd, command, argument);
}
int dup(int fd) { return fcntl(fd, F_DUPFD, 0); }
int dup3(int fd, int to, int flags) {
    REAL(int, dup3, int, int, int);
    pthread_mutex_lock(&lock);
    int result = real(fd, to, flags);
    if (result >= 0) duplicated(fd, to);
    pthread_mutex_unlock(&lock);
    return result;
}
int dup2(int fd, int to) { return fd == to ? fd : dup3(fd, to, 0); }

/* A change of a file's content. `where` is the offset, or -1 for the file's own. */
static ssize_t wrote(int fd, ssize_t done, off_t where, const struct iovec *parts, int count) {
    if (done <= 0) return done;
    if (where < 0) where = lseek(fd, 0, SEEK_CUR) - done;
    char *joined = NULL;
    const void *data = parts[0].iov_base;
    if (count > 1) {
        char *at = joined = malloc((size_t)done);
        if (!joined) abort();
        for (int n = 0; n < count && at < joined + done; n++) {
            size_t left = (size_t)(joined + done - at), length = parts[n].iov_len < left ? parts[n].iov_len : left;
            memcpy(at, parts[n].iov_base, length);
            at += length;
        }
        data = joined;
    }
    event(is_watched(fd) == MARKS ? MARK : WRITE, fd, where, 0, 1, data, (size_t)done);
    free(joined);
    return done;
}

#define WRITES(where, parts, count, call) \
    int kind = is_watched(fd); \
    if (!kind) return call; \
    if (kind == 1 && faulty()) return -1; \
    pthread_mutex_lock(&lock); \
    ssize_t done = wrote(fd, call, where, parts, count); \
    pthread_mutex_unlock(&lock); \
    return done

ssize_t write(int fd, const void *data, size_t length) {
    struct iovec part = { (void *)data, length };
    WRITES(-1, &part, 1, real_write(fd, data, length));
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    struct iovec part = { (void *)data, length };
    WRITES(at, &part, 1, real(fd, data, length, at));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    WRITES(-1, parts, count, real(fd, parts, count));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
    WRITES(at, parts, count, real(fd, parts, count, at));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }

static int resized(int fd, int result) {
    struct stat now;
    if (!result && !fstat(fd, &now)) event(RESIZE, fd, now.st_size, 0, 1, NULL, 0);
    return result;
}
#define RESIZES(call) \
    if (is_watched(fd) != 1) return call; \
    if (faulty()) return -1; \
    pthread_mutex_lock(&lock); \
    int result = resized(fd, call); \
    pthread_mutex_unlock(&lock); \
    return result

int ftruncate64(int fd, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    RESIZES(real(fd, size));
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    REAL(int, fallocate64, int, int, off64_t, off64_t);
    if (is_watched(fd) == 1 && mode & ~FALLOC_FL_KEEP_SIZE) strange("a hole in a file");
    RESIZES(real(fd, mode, at, size));
}
int fallocate(int fd, int mode, off_t at, off_t size) { return fallocate64(fd, mode, at, size); }
int posix_fallocate64(int fd, off64_t at, off64_t size) { return fallocate64(fd, 0, at, size) ? errno : 0; }
int posix_fallocate(int fd, off_t at, off_t size) { return posix_fallocate64(fd, at, size); }

#define SYNCS(call) \
    if (is_watched(fd) != 1) return call; \
    pthread_mutex_lock(&lock); \
    int64_t number = ++syncs; \
    event(SYNC_BEGIN, fd, 0, number, 1, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    int result = call; \
    pthread_mutex_lock(&lock); \
    event(SYNC_END, fd, 0, number, !result, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    return result

int fsync(int fd) {
    REAL(int, fsync, int);
    SYNCS(real(fd));
}
int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    SYNCS(real(fd));
}

/* Changes of names. */
#define NAMES(op, call) \
    if (!below(folder, path, full)) return call; \
    if (faulty()) return -1; \
    pthread_mutex_lock(&lock); \
    int result = call; \
    if (!result) event(op, -1, 0, 0, 1, full, strlen(full)); \
    pthread_mutex_unlock(&lock); \
    return result

int unlinkat(int folder, const char *path, int flags) {
    char full[PATH_MAX];
    REAL(int, unlinkat, int, const char *, int);
    NAMES(UNLINK, real(folder, path, flags));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int folder, const char *path, mode_t mode) {
    char full[PATH_MAX];
    REAL(int, mkdirat, int, const char *, mode_t);
    NAMES(MKDIR, real(folder, path, mode));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    char both[PATH_MAX * 2];
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    char target[PATH_MAX];
    int inside = below(from_folder, from, both), into = below(to_folder, to, target);
    if (!inside && !into) return real(from_folder, from, to_folder, to, flags);
    if (faulty()) return -1;
    if (inside != into || flags & ~RENAME_NOREPLACE) strange("a name moved in or out, or two exchanged");
    size_t length = strlen(both) + 1;
    memcpy(both + length, target, strlen(target) + 1);
    pthread_mutex_lock(&lock);
    int result = real(from_folder, from, to_folder, to, flags);
    if (!result) event(RENAME, -1, 0, 0, 1, both, length + strlen(target));
    pthread_mutex_unlock(&lock);
    return result;
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* What cannot be recorded. */
int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char full[PATH_MAX];
    REAL(int, linkat, int, const char *, int, const char *, int);
    if (below(to_folder, to, full)) strange("a second name for a file");
    return real(from_folder, from, to_folder, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    REAL(void *, mmap, void *, size_t, int, int, int, off_t);
    if (is_watched(fd) == 1 && flags & MAP_SHARED && protection & PROT_WRITE) strange("a memory map that writes");
    return real(at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap(at, length, protection, flags, fd, offset);
}
ssize_t copy_file_range(int from, off64_t *at, int fd, off64_t *to, size_t length, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    if (is_watched(fd) == 1) { errno = EXDEV; return -1; } /* The caller copies by hand, which is seen. */
    return real(from, at, fd, to, length, flags);
}
ssize_t sendfile64(int fd, int from, off64_t *at, size_t length) {
    REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
    if (is_watched(fd) == 1) { errno = EINVAL; return -1; }
    return real(fd, from, at, length);
}
ssize_t sendfile(int fd, int from, off_t *at, size_t length) { return sendfile64(fd, from, at, length); }
ssize_t splice(int from, off64_t *at, int fd, off64_t *to, size_t length, unsigned flags) {
    REAL(ssize_t, splice, int, off64_t *, int, off64_t *, size_t, unsigned);
    if (is_watched(fd) == 1) { errno = EINVAL; return -1; }
    return real(from, at, fd, to, length, flags);
}
