/* The pipeline cache's file: 8 bytes "cocompPC", the number of bytes that follow the header, their checksum, the driver's data.
 * Drivers may trust what they are given: nothing that is damaged, or another driver's, reaches them. */
#include "gpu_cache.h"

#include "system.h"

char *getenv(const char *name);
int strcmp(const char *a, const char *b);
size_t strlen(const char *text);
int memcmp(const void *a, const void *b, size_t bytes);
int open(const char *path, int flags, ...);
long read(int file, void *to, size_t bytes);
long write(int file, const void *from, size_t bytes);
int close(int file);
int mkdir(const char *path, unsigned mode);
int rename(const char *from, const char *to);
int unlink(const char *path);

enum {
  READING = 02004000,      /* O_RDONLY | O_CLOEXEC | O_NONBLOCK: a pipe of that name holds nobody up */
  WRITING = 02000301,      /* O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC */
  MAX_BYTES = 256 << 20,
  NAME = 160,              /* characters that the name of a file has at most, one for a while too */
};

struct header {
  char magic[8];
  uint64_t bytes;
  uint64_t checksum;
};

static const char MAGIC[8] = {'c', 'o', 'c', 'o', 'm', 'p', 'P', 'C'};

/* VkPipelineCacheHeaderVersionOne: how the data of every driver begins. */
struct driver_header {
  uint32_t bytes;
  uint32_t version;
  uint32_t vendor;
  uint32_t device;
  uint8_t uuid[16];
};

/* FNV-1a, never 0. */
static uint64_t checksum(const unsigned char *data, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash ? hash : 1;
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

/* Text goes to the end of a path, which is emptied where there is no room. */
static void append(char *path, const char *text) {
  size_t at = strlen(path);
  for (; *text && at + 1 < COCOMP_GPU_CACHE_PATH; at++) path[at] = *text++;
  path[*text ? 0 : at] = 0;
}

static void append_hex(char *path, const void *data, size_t bytes) {
  const unsigned char *from = data;
  for (size_t i = 0; i < bytes; i++) {
    const char digits[] = {"0123456789abcdef"[from[i] >> 4], "0123456789abcdef"[from[i] & 15], 0};
    append(path, digits);
  }
}

/* Goes into a folder, which is made if need be. */
static void enter(char *path, const char *folder) {
  append(path, folder);
  if (*path) mkdir(path, 0700);
}

static int is_set(const char *value) { return value && *value; }

/* The folder for caches: what COCOMP_PIPELINE_CACHE names, or the user's; empty when it says `off`, or there is no user. */
static void find_folder(char *path) {
  const char *own = getenv("COCOMP_PIPELINE_CACHE"), *caches = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  *path = 0;
  if (is_set(own)) {
    if (strcmp(own, "off")) enter(path, own);
    return;
  }
  if (!is_set(caches) && !is_set(home)) return;
  append(path, is_set(caches) ? caches : home);
  if (*path) enter(path, is_set(caches) ? "" : "/.cache");
  if (*path) enter(path, "/cocomp");
}

static void find_file(const cocomp_gpu *gpu, uint64_t code, char *path) {
  const VkPhysicalDeviceProperties *device = &gpu->properties;
  const uint32_t numbers[] = {device->vendorID, device->deviceID, device->driverVersion};
  find_folder(path);
  if (strlen(path) + NAME > COCOMP_GPU_CACHE_PATH) *path = 0;
  if (!*path) return;
  append(path, "/");
  append_hex(path, device->pipelineCacheUUID, sizeof device->pipelineCacheUUID);
  for (size_t i = 0; i < 3; i++) append(path, "-"), append_hex(path, &numbers[i], sizeof *numbers);
  append(path, "-");
  append_hex(path, &code, sizeof code);
  append(path, ".pipelines");
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static int read_all(int file, void *to, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const long got = read(file, (char *)to + done, bytes - done);
    if (got <= 0) return 0;
    done += (size_t)got;
  }
  return 1;
}

static int write_all(int file, const void *from, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const long put = write(file, (const char *)from + done, bytes - done);
    if (put <= 0) return 0;
    done += (size_t)put;
  }
  return 1;
}

/* Whether the driver may be given data that it says it wrote. */
static int is_of_device(const cocomp_gpu *gpu, const void *data) {
  const struct driver_header *found = data;
  return found->bytes >= sizeof *found && found->version == 1 && found->vendor == gpu->properties.vendorID &&
         found->device == gpu->properties.deviceID &&
         !memcmp(found->uuid, gpu->properties.pipelineCacheUUID, sizeof found->uuid);
}

/* What a file holds, in pages that are the caller's; null, and nothing in `found`, where that is not to be used. */
static void *read_file(const cocomp_gpu *gpu, const char *path, struct header *found) {
  found->checksum = 0;
  const int file = *path ? open(path, READING) : -1;
  if (file < 0) return NULL;
  struct header header;
  void *data = NULL;
  if (read_all(file, &header, sizeof header) && !memcmp(header.magic, MAGIC, sizeof MAGIC) &&
      header.bytes >= sizeof(struct driver_header) && header.bytes <= MAX_BYTES)
    data = cocomp_pages(header.bytes);
  if (data && read_all(file, data, header.bytes) && checksum(data, header.bytes) == header.checksum &&
      is_of_device(gpu, data)) {
    *found = header;
  } else if (data) {
    cocomp_free_pages(data, header.bytes);
    data = NULL;
  }
  close(file);
  return data;
}

/* Under another name first: who reads at the same time finds the old file or the new one. */
static void write_file(const char *path, const struct header *header, const void *data) {
  char temporary[COCOMP_GPU_CACHE_PATH];
  const uint64_t unique = (uint64_t)cocomp_nanoseconds() ^ (uint64_t)(uintptr_t)data << 20;
  *temporary = 0;
  append(temporary, path);
  append(temporary, ".");
  append_hex(temporary, &unique, sizeof unique);
  const int file = open(temporary, WRITING, 0600);
  if (file < 0) return;
  int is_done = write_all(file, header, sizeof *header) && write_all(file, data, header->bytes);
  is_done = !close(file) && is_done;
  if (!is_done || rename(temporary, path)) unlink(temporary);
}

/* ------------------------------------------------------------------------------------------------------------------ */

void cocomp_gpu_cache_open(cocomp_gpu *gpu, const void *code, size_t bytes, cocomp_gpu_cache *cache) {
  find_file(gpu, checksum(code, bytes), cache->path);
  if (!*cache->path) return;
  struct header header;
  void *data = read_file(gpu, cache->path, &header);
  cache->kept = header.checksum;
  const VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                          .initialDataSize = data ? header.bytes : 0,
                                          .pInitialData = data};
  cocomp_gpu_made(gpu->CreatePipelineCache(gpu->device, &info, NULL, &cache->handle), &cache->handle);
  if (data) cocomp_free_pages(data, header.bytes);
}

void cocomp_gpu_cache_save(cocomp_gpu *gpu, const cocomp_gpu_cache *cache) {
  size_t bytes = 0;
  if (!cache->handle || gpu->GetPipelineCacheData(gpu->device, cache->handle, &bytes, NULL)) return;
  if (bytes < sizeof(struct driver_header) || bytes > MAX_BYTES) return;
  const size_t room = bytes;
  void *data = cocomp_pages(room);
  if (!data) return;
  if (!gpu->GetPipelineCacheData(gpu->device, cache->handle, &bytes, data) && bytes <= room) {
    struct header header = {.bytes = bytes, .checksum = checksum(data, bytes)};
    for (size_t i = 0; i < sizeof MAGIC; i++) header.magic[i] = MAGIC[i];
    if (header.checksum != cache->kept) write_file(cache->path, &header, data);
  }
  cocomp_free_pages(data, room);
}

void cocomp_gpu_cache_close(cocomp_gpu *gpu, cocomp_gpu_cache *cache) {
  if (cache->handle) gpu->DestroyPipelineCache(gpu->device, cache->handle, NULL);
  cache->handle = 0;
}
