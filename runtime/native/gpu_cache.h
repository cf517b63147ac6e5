/* What a driver compiled of a model's kernels, kept in a file for the next time. Nothing here fails: at worst the driver compiles
 * again. */
#ifndef COCOMP_GPU_CACHE_H
#define COCOMP_GPU_CACHE_H

#include "vulkan.h"

enum { COCOMP_GPU_CACHE_PATH = 1024 };

typedef struct {
  VkHandle handle;                  /* of the pipeline cache, or 0 */
  uint64_t kept;                    /* checksum of what the file holds, 0 when that is of no use */
  char path[COCOMP_GPU_CACHE_PATH]; /* of the file; empty when there is to be none */
} cocomp_gpu_cache;

/* A pipeline cache with what the file for `code` on this device holds. */
void cocomp_gpu_cache_open(cocomp_gpu *gpu, const void *code, size_t bytes, cocomp_gpu_cache *cache);

/* Write the file if there is more to keep than it holds. */
void cocomp_gpu_cache_save(cocomp_gpu *gpu, const cocomp_gpu_cache *cache);

void cocomp_gpu_cache_close(cocomp_gpu *gpu, cocomp_gpu_cache *cache);

#endif
