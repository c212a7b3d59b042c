/* A power cut in user space, and a failing disk. Preloaded into the store's writer process.
 *
 * Files below $SHIM_DIR are shadowed in $SHIM_SHADOW: what is written becomes part of the shadow only when fsync or fdatasync
 * is called on it, so the shadow is what a machine would find after losing power at that moment. Renames, deletions and
 * truncations reach it at once. Every write and sync may also fail: $SHIM_FAIL is "enospc:N" or "eio:N", and then one call in
 * N fails, by a generator seeded with $SHIM_SEED; while the file $SHIM_FULL exists every write fails with ENOSPC.
 * It models the loss of all unsynced data, not of part of it, nor reordering.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_FD 1024
#define MAX_RANGES 65536

struct range { off64_t at; size_t size; };
struct file { char *shadow; struct range *dirty; size_t count; };

static struct file files[MAX_FD];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long long state;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_watched(const char *path, char **shadow) {
  const char *dir = getenv("SHIM_DIR"), *to = getenv("SHIM_SHADOW");
  size_t size = dir ? strlen(dir) : 0;
  if (!size || strncmp(path, dir, size) || path[size] != '/') return 0;
  const char *suffix = strrchr(path, '.');
  if (suffix && !strcmp(suffix, ".lock")) return 0;
  *shadow = NULL;
  if (to && asprintf(shadow, "%s%s", to, path + size) < 0) abort();
  return 1;
}

/* Whether the next call is to fail; sets errno. Called with the mutex held. */
static int fails(int is_write) {
  const char *full = getenv("SHIM_FULL"), *fail = getenv("SHIM_FAIL");
  if (is_write && full && !REAL(access)(full, F_OK)) { errno = ENOSPC; return 1; }
  if (!fail) return 0;
  if (!state) state = strtoull(getenv("SHIM_SEED") ? getenv("SHIM_SEED") : "1", NULL, 10) * 2654435761u + 1;
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  unsigned long every = strtoul(strchr(fail, ':') + 1, NULL, 10);
  if ((state >> 33) % every) return 0;
  if (fail[0] == 'e' && fail[1] == 'n') { if (!is_write) return 0; errno = ENOSPC; } else errno = EIO;
  return 1;
}

static void opened(int fd, const char *path, int flags) {
  char *shadow;
  if (fd < 0 || fd >= MAX_FD || (flags & O_DIRECTORY) || !is_watched(path, &shadow)) return;
  pthread_mutex_lock(&mutex);
  files[fd].shadow = shadow ? shadow : strdup("");
  files[fd].count = 0;
  if (!files[fd].dirty) files[fd].dirty = malloc(MAX_RANGES * sizeof(struct range));
  pthread_mutex_unlock(&mutex);
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
    int fd = REAL(name)(path, flags, mode); \
    opened(fd, path, flags); \
    return fd; \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (fd >= 0 && fd < MAX_FD && files[fd].shadow) {
    pthread_mutex_lock(&mutex);
    free(files[fd].shadow);
    files[fd].shadow = NULL;
    pthread_mutex_unlock(&mutex);
  }
  return REAL(close)(fd);
}

static ssize_t wrote(int fd, off64_t at, ssize_t size) {
  if (size > 0) {
    if (files[fd].count == MAX_RANGES) abort();
    files[fd].dirty[files[fd].count++] = (struct range){at, (size_t)size};
  }
  return size;
}

#define WATCHED(fd) ((fd) >= 0 && (fd) < MAX_FD && files[fd].shadow)

#define PWRITE(name, off) \
  ssize_t name(int fd, const void *data, size_t size, off at) { \
    if (!WATCHED(fd)) return REAL(name)(fd, data, size, at); \
    pthread_mutex_lock(&mutex); \
    /* a full disk often takes the first part of a write */ \
    ssize_t done = fails(1) ? (REAL(name)(fd, data, size / 3, at), -1) : wrote(fd, at, REAL(name)(fd, data, size, at)); \
    if (done < 0) errno = errno ? errno : ENOSPC; \
    pthread_mutex_unlock(&mutex); \
    return done; \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t size) {
  if (!WATCHED(fd)) return REAL(write)(fd, data, size);
  pthread_mutex_lock(&mutex);
  off64_t at = lseek64(fd, 0, SEEK_CUR);
  ssize_t done = fails(1) ? -1 : wrote(fd, at, REAL(write)(fd, data, size));
  pthread_mutex_unlock(&mutex);
  return done;
}

static int synced(int fd, int (*sync)(int)) {
  if (!WATCHED(fd)) return sync(fd);
  pthread_mutex_lock(&mutex);
  int result = fails(0) ? -1 : sync(fd);
  struct file *file = &files[fd];
  if (!result && *file->shadow) {
    int to = REAL(open)(file->shadow, O_WRONLY | O_CREAT, 0600);
    for (size_t i = 0; i < file->count; i++) {
      char *data = malloc(file->dirty[i].size);
      ssize_t got = pread64(fd, data, file->dirty[i].size, file->dirty[i].at);
      if (to < 0 || (got > 0 && REAL(pwrite64)(to, data, (size_t)got, file->dirty[i].at) != got)) abort();
      free(data);
    }
    REAL(close)(to);
  }
  if (!result) file->count = 0;
  pthread_mutex_unlock(&mutex);
  return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

#define TRUNCATE(name, off) \
  int name(int fd, off size) { \
    int result = REAL(name)(fd, size); \
    if (!result && WATCHED(fd) && *files[fd].shadow && !REAL(access)(files[fd].shadow, F_OK)) \
      if (truncate64(files[fd].shadow, size)) abort(); \
    return result; \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
  char *shadow;
  if (is_watched(path, &shadow) && shadow) { REAL(unlink)(shadow); free(shadow); }
  return REAL(unlink)(path);
}
