/* A Vulkan device with one compute queue. */
#ifndef COCOMP_VULKAN_H
#define COCOMP_VULKAN_H

#include "vulkan_api.h"

typedef struct {
#define COCOMP_MEMBER(result, name, parameters) result(*name) parameters;
  COCOMP_GLOBAL_FUNCTIONS(COCOMP_MEMBER)
  COCOMP_INSTANCE_FUNCTIONS(COCOMP_MEMBER)
  COCOMP_DEVICE_FUNCTIONS(COCOMP_MEMBER)
#undef COCOMP_MEMBER
  void *loader;
  VkInstance instance;
  VkPhysicalDevice physical;
  VkDevice device;
  VkQueue queue;
  uint32_t family;
  uint32_t timestamp_bits; /* 0 where the queue has no clock */
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceMemoryProperties memory;
} cocomp_gpu;

typedef struct {
  VkHandle buffer;
  VkHandle memory;
  char *mapped; /* null where the host cannot see it */
} cocomp_gpu_buffer;

enum cocomp_gpu_memory { COCOMP_GPU_LOCAL, COCOMP_GPU_HOST };

/* Every function that can fail returns a status of cocomp.h. */
int cocomp_gpu_open(cocomp_gpu *gpu, uint32_t features);
void cocomp_gpu_close(cocomp_gpu *gpu);
int cocomp_gpu_allocate(cocomp_gpu *gpu, int64_t bytes, enum cocomp_gpu_memory memory, cocomp_gpu_buffer *made);
/* Memory for what needs that, of the type that is left in `type`. */
int cocomp_gpu_reserve(cocomp_gpu *gpu, const VkMemoryRequirements *needs, enum cocomp_gpu_memory memory, VkHandle *made, int *type);
void cocomp_gpu_free(cocomp_gpu *gpu, cocomp_gpu_buffer *buffer);
int cocomp_gpu_status(VkResult result);
int cocomp_gpu_made(VkResult result, VkHandle *handle); /* a handle that a failing driver wrote is none */

#endif
