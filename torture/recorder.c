/* Records what processes do to the files under one folder, in the order in which it happens: every write, sync,
   creation, renaming, removal and change of size, and what is stored in memory that is mapped from a file.

   Loaded with LD_PRELOAD. TORTURE_ROOT is the folder, as an absolute path without links; what is written to files
   under TORTURE_NOTES is recorded as notes; TORTURE_RECORD is a file, made large by whoever starts this, that the
   record goes to. Its first 8 bytes say how many bytes of it are used, then comes the lock, and from byte 4096 on
   record after record (`struct head`, its data, zeros up to a multiple of 8). `recording.py` reads it.

   One lock, held by one thread of all processes at a time, spans each call and its record, so that the order is
   the real one. Stores in mapped memory are seen when their process next records anything, by comparison with a
   copy, in sectors of 512 bytes. Copying within the kernel is refused, so that programs copy by writes,
   and so is syncing a whole file system. */

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
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, MKDIR, WRITE, WRITE_SYNCED, SIZE, RENAME, LINK, UNLINK, RMDIR, SYNC, SYNC_FOLDER, STORE, NOTE };

struct head {
    uint32_t operation, length; /* of the data: bytes, or a path, or two paths with a zero between them */
    uint64_t file;              /* inode */
    int64_t offset;             /* or the size */
};

struct shared {
    uint64_t used;
    pthread_mutex_t lock;
    uint32_t ready;
};

struct mapping {
    char *address, *copy;
    size_t length;
    uint64_t file;
    int64_t offset;
};

#define START 4096
#define SECTOR 512
#define MOST 512
#define FICLONE_ 0x40049409

static struct shared *shared;
static size_t capacity;
static char root[PATH_MAX], notes[PATH_MAX];
static size_t root_length, notes_length;
static struct mapping mappings[MOST];
static int mapping_count;
static __thread int inside;

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void forget_mappings(void) { mapping_count = 0; }

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("TORTURE_ROOT"), *record = getenv("TORTURE_RECORD");
    const char *noted = getenv("TORTURE_NOTES");
    if (!folder || !record || !noted) return;
    int file = open(record, O_RDWR | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) || status.st_size < 2 * START) abort();
    void *memory = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) abort();
    close(file);
    struct shared *found = memory;
    if (!found->ready) { /* the first process, before any other is started */
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutex_init(&found->lock, &attributes);
        found->used = START;
        found->ready = 1;
    }
    root_length = snprintf(root, sizeof root, "%s/", folder);
    notes_length = snprintf(notes, sizeof notes, "%s/", noted);
    capacity = status.st_size;
    pthread_atfork(NULL, NULL, forget_mappings);
    shared = found;
}

static void put(int operation, uint64_t file, int64_t offset, const void *data, size_t length, const char *second) {
    size_t more = second ? strlen(second) + 1 : 0;
    size_t size = (sizeof(struct head) + length + more + 7) & ~(size_t)7;
    if (shared->used + size > capacity) abort();
    char *place = (char *)shared + shared->used;
    struct head head = {operation, (uint32_t)(length + more), file, offset};
    memcpy(place, &head, sizeof head);
    if (length) memcpy(place + sizeof head, data, length);
    if (second) {
        place[sizeof head + length] = 0;
        memcpy(place + sizeof head + length + 1, second, more - 1);
    }
    shared->used += size;
}

static void note_stores(void) {
    for (int i = 0; i < mapping_count; i++) {
        struct mapping *m = &mappings[i];
        for (size_t page = 0; page < m->length; page += 4096) {
            size_t page_end = page + 4096 < m->length ? page + 4096 : m->length;
            if (!memcmp(m->address + page, m->copy + page, page_end - page)) continue;
            for (size_t at = page; at < page_end; at += SECTOR) {
                size_t length = at + SECTOR < page_end ? SECTOR : page_end - at;
                if (!memcmp(m->address + at, m->copy + at, length)) continue;
                memcpy(m->copy + at, m->address + at, length);
                put(STORE, m->file, m->offset + at, m->copy + at, length, NULL);
            }
        }
    }
}

/* Whether to record in this thread now; if so, the lock is held. */
static int enter(void) {
    if (!shared || inside) return 0;
    inside = 1;
    pthread_mutex_lock(&shared->lock);
    note_stores();
    return 1;
}

static void leave(int entered) {
    if (!entered) return;
    int error = errno;
    pthread_mutex_unlock(&shared->lock);
    inside = 0;
    errno = error;
}

/* The absolute path, without following a link at its end; its folder has to be there. */
static int place_of(int folder, const char *path, char *result) {
    char text[PATH_MAX], around[PATH_MAX];
    if (path[0] == '/' || folder == AT_FDCWD) {
        if (path[0] == '/') snprintf(text, sizeof text, "%s", path);
        else {
            if (!getcwd(around, sizeof around)) return 0;
            if (snprintf(text, sizeof text, "%s/%s", around, path) >= (int)sizeof text) return 0;
        }
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, around, sizeof around - 1);
        if (length < 0) return 0;
        around[length] = 0;
        if (snprintf(text, sizeof text, "%s/%s", around, path) >= (int)sizeof text) return 0;
    }
    for (size_t end = strlen(text); end > 1 && text[end - 1] == '/';) text[--end] = 0;
    snprintf(result, PATH_MAX, "%s", text);
    return !strncmp(result, root, root_length);
}

enum { OTHER, RECORDED, NOTED };

static int sort_of(int file, char *path, uint64_t *inode) {
    char link[64];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0 || path[0] != '/') return OTHER;
    path[length] = 0;
    if (fstat(file, &status)) return OTHER;
    *inode = status.st_ino;
    if (!strncmp(path, notes, notes_length)) return NOTED;
    if (!strncmp(path, root, root_length)) return RECORDED;
    return !strncmp(path, root, root_length - 1) && (size_t)length == root_length - 1 ? RECORDED : OTHER;
}

/* Opening. */

static int opened(int (*real)(int, const char *, int, ...), int folder, const char *path, int flags, mode_t mode) {
    char place[PATH_MAX];
    struct stat before, after;
    int entered = enter();
    int ours = entered && (flags & (O_CREAT | O_TRUNC)) && place_of(folder, path, place);
    int was = ours && !fstatat(folder, path, &before, 0);
    int file = real(folder, path, flags, mode);
    if (ours && file >= 0 && !fstat(file, &after) && S_ISREG(after.st_mode)) {
        if (!was) put(CREATE, after.st_ino, 0, place, strlen(place), NULL);
        else if ((flags & O_TRUNC) && before.st_size) put(SIZE, after.st_ino, 0, NULL, 0, NULL);
    }
    leave(entered);
    return file;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

typedef int (*openat_type)(int, const char *, int, ...);
static openat_type real_openat(void) {
    static openat_type real;
    if (!real) real = (openat_type)dlsym(RTLD_NEXT, "openat64");
    return real;
}

int open(const char *path, int flags, ...) { MODE(flags) return opened(real_openat(), AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) {
    MODE(flags) return opened(real_openat(), AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE(flags) return opened(real_openat(), folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags) return opened(real_openat(), folder, path, flags | O_LARGEFILE, mode);
}

/* Writing. */

static void written(int file, const struct iovec *parts, int count, int64_t offset, ssize_t done) {
    char path[PATH_MAX];
    uint64_t inode;
    int sort = done > 0 ? sort_of(file, path, &inode) : OTHER;
    if (sort == OTHER) return;
    int flags = fcntl(file, F_GETFL);
    if (offset < 0) offset = lseek(file, 0, SEEK_CUR) - done; /* right for O_APPEND, too: the end was written to */
    for (int i = 0; i < count && done > 0; i++) {
        size_t length = parts[i].iov_len < (size_t)done ? parts[i].iov_len : (size_t)done;
        if (sort == NOTED) {
            char text[PATH_MAX];
            size_t short_of = length < 1000 ? length : 1000;
            memcpy(text, parts[i].iov_base, short_of);
            text[short_of] = 0;
            put(NOTE, 0, 0, path, strlen(path), text);
        } else
            put(flags & O_DSYNC ? WRITE_SYNCED : WRITE, inode, offset, parts[i].iov_base, length, NULL);
        offset += length;
        done -= length;
    }
}

ssize_t write(int file, const void *data, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    struct iovec part = {(void *)data, length};
    struct stat status;
    /* Pipes, sockets and terminals may wait for others. */
    if (!shared || inside || fstat(file, &status) || !S_ISREG(status.st_mode)) return real(file, data, length);
    int entered = enter();
    ssize_t done = real(file, data, length);
    if (entered) written(file, &part, 1, -1, done);
    leave(entered);
    return done;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    struct stat status;
    if (!shared || inside || fstat(file, &status) || !S_ISREG(status.st_mode)) return real(file, parts, count);
    int entered = enter();
    ssize_t done = real(file, parts, count);
    if (entered) written(file, parts, count, -1, done);
    leave(entered);
    return done;
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    struct iovec part = {(void *)data, length};
    int entered = enter();
    ssize_t done = real(file, data, length, offset);
    if (entered) written(file, &part, 1, offset, done);
    leave(entered);
    return done;
}
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) { return pwrite64(file, data, length, offset); }

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset) {
    REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off64_t);
    int entered = enter();
    ssize_t done = real(file, parts, count, offset);
    if (entered) written(file, parts, count, offset, done);
    leave(entered);
    return done;
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(file, parts, count, offset);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    if (!shared) {
        REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
        return real(in, from, out, to, length, flags);
    }
    errno = EXDEV;
    return -1;
}

ssize_t sendfile64(int out, int in, off64_t *from, size_t length) {
    struct stat status;
    if (!shared || fstat(out, &status) || !S_ISREG(status.st_mode)) {
        REAL(ssize_t, "sendfile64", int, int, off64_t *, size_t);
        return real(out, in, from, length);
    }
    errno = EINVAL;
    return -1;
}
ssize_t sendfile(int out, int in, off_t *from, size_t length) { return sendfile64(out, in, from, length); }

int ioctl(int file, unsigned long request, ...) {
    REAL(int, "ioctl", int, unsigned long, ...);
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (shared && request == FICLONE_) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return real(file, request, argument);
}

/* Sizes. */

static void note_size(int entered, int file) {
    char path[PATH_MAX];
    uint64_t inode;
    struct stat status;
    if (entered && sort_of(file, path, &inode) == RECORDED && !fstat(file, &status))
        put(SIZE, inode, status.st_size, NULL, 0, NULL);
}

int ftruncate64(int file, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    int entered = enter();
    int failed = real(file, size);
    if (!failed) note_size(entered, file);
    leave(entered);
    return failed;
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int posix_fallocate64(int file, off64_t offset, off64_t length) {
    REAL(int, "posix_fallocate64", int, off64_t, off64_t);
    int entered = enter();
    int error = real(file, offset, length);
    if (!error) note_size(entered, file);
    leave(entered);
    return error;
}
int posix_fallocate(int file, off_t offset, off_t length) { return posix_fallocate64(file, offset, length); }

/* Names. */

static int named(int operation, int failed, int entered, int folder, const char *path) {
    char place[PATH_MAX];
    if (entered && !failed && place_of(folder, path, place)) put(operation, 0, 0, place, strlen(place), NULL);
    leave(entered);
    return failed;
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    int entered = enter();
    return named(MKDIR, real(path, mode), entered, AT_FDCWD, path);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    int entered = enter();
    return named(MKDIR, real(folder, path, mode), entered, folder, path);
}
int rmdir(const char *path) {
    REAL(int, "rmdir", const char *);
    int entered = enter();
    return named(RMDIR, real(path), entered, AT_FDCWD, path);
}
int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    int entered = enter();
    return named(UNLINK, real(path), entered, AT_FDCWD, path);
}
int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    int entered = enter();
    return named(flags & AT_REMOVEDIR ? RMDIR : UNLINK, real(folder, path, flags), entered, folder, path);
}

static int named_twice(
    int operation, int failed, int entered, int from_folder, const char *from, int to_folder, const char *to) {
    char one[PATH_MAX], other[PATH_MAX];
    int ours = entered && !failed && place_of(from_folder, from, one);
    if (ours && place_of(to_folder, to, other)) put(operation, 0, 0, one, strlen(one), other);
    else if (ours || (entered && !failed && place_of(to_folder, to, other))) abort(); /* in or out of the folder */
    leave(entered);
    return failed;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    int entered = enter();
    return named_twice(RENAME, real(from, to), entered, AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    int entered = enter();
    return named_twice(RENAME, real(from_folder, from, to_folder, to), entered, from_folder, from, to_folder, to);
}
int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *);
    int entered = enter();
    return named_twice(LINK, real(from, to), entered, AT_FDCWD, from, AT_FDCWD, to);
}
int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    int entered = enter();
    return named_twice(LINK, real(from_folder, from, to_folder, to, flags), entered, from_folder, from, to_folder, to);
}

/* Syncs. */

static int synced(int failed, int entered, int file) {
    char path[PATH_MAX];
    uint64_t inode;
    struct stat status;
    if (entered && !failed && sort_of(file, path, &inode) == RECORDED && !fstat(file, &status))
        put(S_ISDIR(status.st_mode) ? SYNC_FOLDER : SYNC, inode, 0, path, strlen(path), NULL);
    leave(entered);
    return failed;
}

/* What is under the root need not really be synced: the record says what would be. */
static int skips_sync(int file) {
    char path[PATH_MAX];
    uint64_t inode;
    return shared && sort_of(file, path, &inode) == RECORDED;
}

int fsync(int file) {
    REAL(int, "fsync", int);
    int entered = enter();
    return synced(skips_sync(file) ? 0 : real(file), entered, file);
}
int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    int entered = enter();
    return synced(skips_sync(file) ? 0 : real(file), entered, file);
}

/* It would sync what nobody has asked to be synced, and hide that. Then each file is synced by itself. */
int syncfs(int file) {
    if (shared) {
        errno = ENOSYS;
        return -1;
    }
    REAL(int, "syncfs", int);
    return real(file);
}

/* Mapped memory. */

void *mmap64(void *address, size_t length, int protection, int flags, int file, off64_t offset) {
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t);
    char path[PATH_MAX];
    uint64_t inode;
    if (!shared || inside || !(flags & MAP_SHARED) || !(protection & PROT_WRITE) || file < 0)
        return real(address, length, protection, flags, file, offset);
    int entered = enter();
    void *memory = real(address, length, protection, flags, file, offset);
    if (entered && memory != MAP_FAILED && sort_of(file, path, &inode) == RECORDED) {
        if (mapping_count == MOST) abort();
        struct mapping new = {memory, malloc(length), length, inode, offset};
        if (!new.copy) abort();
        memcpy(new.copy, memory, length);
        mappings[mapping_count++] = new;
    }
    leave(entered);
    return memory;
}
void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    return mmap64(address, length, protection, flags, file, offset);
}

int munmap(void *address, size_t length) {
    REAL(int, "munmap", void *, size_t);
    int entered = enter();
    for (int i = 0; entered && i < mapping_count; i++)
        if (mappings[i].address == (char *)address) {
            free(mappings[i].copy);
            mappings[i--] = mappings[--mapping_count];
        }
    int failed = real(address, length);
    leave(entered);
    return failed;
}

int msync(void *address, size_t length, int flags) {
    REAL(int, "msync", void *, size_t, int);
    int entered = enter();
    int failed = real(address, length, flags);
    for (int i = 0; entered && !failed && (flags & MS_SYNC) && i < mapping_count; i++)
        if ((char *)address >= mappings[i].address && (char *)address < mappings[i].address + mappings[i].length)
            put(SYNC, mappings[i].file, 0, NULL, 0, NULL);
    leave(entered);
    return failed;
}

/* Nobody is killed between what he does and its record. */

int kill(pid_t process, int signal) {
    REAL(int, "kill", pid_t, int);
    int entered = enter();
    int failed = real(process, signal);
    leave(entered);
    return failed;
}
int killpg(pid_t group, int signal) {
    REAL(int, "killpg", pid_t, int);
    int entered = enter();
    int failed = real(group, signal);
    leave(entered);
    return failed;
}
