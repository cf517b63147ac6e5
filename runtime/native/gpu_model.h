/* A model on a GPU, as the sources that make and run one see it. */
#ifndef COCOMP_GPU_MODEL_H
#define COCOMP_GPU_MODEL_H

#include <stdatomic.h>

#include "cocomp.h"
#include "gpu_cache.h"
#include "gpu_plan.h"
#include "pool.h"
#include "vulkan.h"

struct cocomp_model {
  cocomp_gpu gpu;
  cocomp_gpu_buffer weights;
  cocomp_gpu_buffer arena;
  cocomp_gpu_buffer tensors; /* inputs, then outputs */
  cocomp_gpu_buffer staging; /* for what the host does not see; empty until it is needed */
  VkHandle *layouts;         /* of each shader: descriptor set layout, pipeline layout, pipeline */
  VkHandle *pipeline_layouts;
  VkHandle *pipelines;
  VkHandle *sets;  /* of each dispatch */
  VkHandle *views; /* of each binding that is texels of a buffer */
  VkHandle *images;
  VkHandle *image_views;
  VkHandle *slots; /* memory of images */
  VkHandle set_pool;
  VkHandle command_pool;
  VkCommandBuffer *recorded; /* of each dispatch that begins a segment */
  VkHandle fence;
  VkHandle queries;
  cocomp_gpu_cache cache; /* while pipelines are made */
  char *shadow; /* copy of an arena that the host does not see, and of images */
  cocomp_pool *pool; /* for kernels of the processor, and their memory */
  char *scratch;
  int threads;
  int64_t *nanoseconds;
  int profiling;
  atomic_flag running;
};

static const cocomp_gpu_plan *const plan = &cocomp_the_gpu_plan;

/* Hands on a status, and says which dispatch it is about where it is no success. */
int cocomp_gpu_failed(int64_t dispatch, int status);

/* Objects: those that can fail return a status, and what they made is destroyed with all others. */
int cocomp_gpu_create_commands(cocomp_model *model);
int cocomp_gpu_create_memory(cocomp_model *model);
int cocomp_gpu_create_pipelines(cocomp_model *model);
int cocomp_gpu_create_sets(cocomp_model *model);
void cocomp_gpu_destroy_objects(cocomp_model *model);
/* Where a tensor of the caller begins in the buffer that holds them all; past the last one: the size of that. */
int64_t cocomp_gpu_tensor_offset(int64_t number, int is_output);

/* Images: objects, views and memory; what has to be done before dispatch number `next`; copies of those that dispatch `last` has
 * left, at their offsets from `host`. */
int cocomp_gpu_create_images(cocomp_model *model);
void cocomp_gpu_destroy_images(cocomp_model *model);
void cocomp_gpu_begin_images(cocomp_model *model, VkCommandBuffer commands, int64_t next);
int cocomp_gpu_copy_images(cocomp_model *model, char *host, int64_t last);

/* Kernels of the processor: threads for them; run dispatch number `number`, which is one. */
int cocomp_gpu_create_host(cocomp_model *model, int threads);
void cocomp_gpu_destroy_host(cocomp_model *model);
int cocomp_gpu_run_on_host(cocomp_model *model, int64_t number);
int cocomp_gpu_create_shadow(cocomp_model *model);

/* Commands. */
int cocomp_gpu_begin(cocomp_model *model, VkCommandBuffer *commands);
/* Run commands and wait. */
int cocomp_gpu_submit(cocomp_model *model, VkCommandBuffer commands);
/* End, run and forget commands that are not needed again. */
int cocomp_gpu_finish(cocomp_model *model, VkCommandBuffer commands);
/* `count` dispatches from number `first` on; with a timestamp before each and one at the end where `timed`. */
void cocomp_gpu_record(cocomp_model *model, VkCommandBuffer commands, int64_t first, int64_t count, int timed);
/* What the stages `after` wrote is there for the stages `before`. */
void cocomp_gpu_barrier(cocomp_model *model, VkCommandBuffer commands, uint32_t after, uint32_t before);
/* Memory for copies of so many bytes at once. */
enum { COCOMP_GPU_STAGING_BYTES = 16 << 20 };
int cocomp_gpu_stage(cocomp_model *model);
/* Copies between a buffer that the host does not see, from byte `first` on, and memory of the host, in pieces. */
int cocomp_gpu_copy(cocomp_model *model, cocomp_gpu_buffer *buffer, int64_t first, char *host, int64_t bytes, int upload);

#endif
