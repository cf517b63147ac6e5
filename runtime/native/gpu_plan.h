/* What the compiler writes for a model on a GPU and the runtime reads. Not part of the public interface. */
#ifndef COCOMP_GPU_PLAN_H
#define COCOMP_GPU_PLAN_H

#include <stdint.h>

#include "kernel.h"

enum cocomp_gpu_space { COCOMP_GPU_INPUT, COCOMP_GPU_OUTPUT, COCOMP_GPU_WEIGHTS, COCOMP_GPU_ARENA, COCOMP_GPU_IN_IMAGE };

/* How a kernel sees memory: as a buffer, or as texels of one or four elements in single or half precision, or integers; or as an
 * image, read or written. */
enum cocomp_gpu_kind {
  COCOMP_GPU_BUFFER,
  COCOMP_GPU_SINGLES32,
  COCOMP_GPU_SINGLES16,
  COCOMP_GPU_SINGLESI32,
  COCOMP_GPU_QUADS32,
  COCOMP_GPU_QUADS16,
  COCOMP_GPU_WRITTEN32,
  COCOMP_GPU_WRITTEN16,
  COCOMP_GPU_IMAGE,
  COCOMP_GPU_STORED,
};

/* What kernels need beyond Vulkan 1.1. */
enum cocomp_gpu_feature {
  COCOMP_GPU_INT8 = 1,
  COCOMP_GPU_INT16 = 2,
  COCOMP_GPU_INT64 = 4,
  COCOMP_GPU_FLOAT16 = 8,
  COCOMP_GPU_STORAGE8 = 16,
  COCOMP_GPU_STORAGE16 = 32,
};

/* Memory that a kernel is bound to: an input, output or image by its number, or a part of the weights or the arena. */
typedef struct {
  int64_t offset; /* bytes; for inputs and outputs the tensor's number, and the image's */
  int64_t start;  /* bytes of that to leave out: a large buffer has several bindings */
  int64_t bytes;
  int32_t space;
} cocomp_gpu_binding;

typedef struct {
  int64_t offset; /* in cocomp_spirv, bytes */
  int64_t bytes;
  const char *name;   /* of the entry point */
  int32_t first_kind; /* in cocomp_gpu_plan.kinds */
  int32_t bindings;
} cocomp_gpu_shader;

typedef struct {
  int32_t shader;        /* -1 where the processor runs it: */
  int32_t task;          /* in cocomp_gpu_plan.tasks, else -1 */
  int32_t first_binding; /* in cocomp_gpu_plan.bindings */
  uint32_t grid[3];      /* workgroups */
  const char *layer;     /* of the model, UTF-8 */
} cocomp_gpu_dispatch;

/* A kernel of the processor. Its bindings are buffers, and its arguments. */
typedef struct {
  cocomp_kernel kernel;
  int64_t count; /* of tasks that threads share */
  int32_t bindings;
  uint64_t written; /* a bit for each binding */
} cocomp_gpu_task;

/* A tensor in an image. Those of a slot have the same memory, one after the other. */
typedef struct {
  uint32_t width; /* texels */
  uint32_t height;
  uint32_t depth; /* 1 where there are two dimensions */
  int32_t is_half; /* precision */
  int32_t slot;
  int32_t first; /* dispatch that sees it */
  int32_t last;
  int64_t offset; /* in the copy of the arena that the host sees */
} cocomp_gpu_image;

typedef struct {
  const cocomp_gpu_shader *shaders;
  const uint8_t *kinds; /* of bindings, enum cocomp_gpu_kind */
  const cocomp_gpu_dispatch *dispatches;
  const cocomp_gpu_task *tasks;
  const cocomp_gpu_binding *bindings;
  const cocomp_gpu_image *images;
  const int64_t *input_bytes;
  const int64_t *output_bytes;
  int64_t shader_count;
  int64_t dispatch_count;
  int64_t task_count;
  int64_t binding_count;
  int64_t image_count;
  int64_t slot_count;
  int64_t input_count;
  int64_t output_count;
  int64_t arena_bytes;
  int64_t image_bytes; /* behind the arena, in what the host sees of both */
  int64_t weights_bytes;
  int64_t scratch_bytes; /* for each thread that runs tasks */
  const char *manifest;
  const char *checksum; /* SHA-256 of the file with 64 zeros in this place */
  uint32_t features;    /* of enum cocomp_gpu_feature */
  int32_t x86_level;    /* what tasks need: 2, 3 or 4 for x86-64-v2, v3, v4; else 0 */
  int32_t arm_fp16;     /* 1 when half-precision arithmetic is needed */
} cocomp_gpu_plan;

extern const cocomp_gpu_plan cocomp_the_gpu_plan;
extern const char cocomp_weights[];
extern const char cocomp_spirv[];

enum { COCOMP_GPU_ALIGNMENT = 256 }; /* of every offset: no device wants more */

#endif
