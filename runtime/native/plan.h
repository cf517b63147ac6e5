/* What the compiler writes for a model and the runtime reads: the plan. Not part of the public interface. */
#ifndef COCOMP_PLAN_H
#define COCOMP_PLAN_H

#include "kernel.h"

enum cocomp_space { COCOMP_INPUT, COCOMP_OUTPUT, COCOMP_WEIGHTS, COCOMP_PERSISTENT, COCOMP_ARENA };

/* An argument of a kernel: a tensor of the caller by its number, or a place in the weights or the arena. */
typedef struct {
  int64_t offset; /* bytes; for inputs and outputs the tensor's number */
  int32_t space;
} cocomp_argument;

/* Where a buffer would begin whose slice number `unit`, of so many bytes, lies at `offset` of a thread's own memory. */
static inline char *cocomp_slice(char *scratch, int64_t offset, int64_t unit, int64_t bytes) {
  return (char *)((uintptr_t)scratch + (uintptr_t)offset - (uintptr_t)unit * (uintptr_t)bytes);
}

typedef struct {
  cocomp_kernel kernel;
  int64_t tasks;
  int32_t first_argument; /* in cocomp_plan.arguments */
  int32_t arguments;
} cocomp_dispatch;

typedef struct {
  const cocomp_dispatch *dispatches;
  const cocomp_argument *arguments;
  int64_t dispatch_count;
  int64_t prepare_count; /* the first dispatches, which run once when the model is created */
  int64_t input_count;
  int64_t output_count;
  int64_t arena_bytes;
  int64_t persistent_bytes; /* what the first dispatches write */
  int64_t scratch_bytes;    /* for each thread */
  int64_t released_from;    /* weights from this byte on are read by the first dispatches only */
  int64_t weights_bytes;
  const char *manifest;
  const char *checksum; /* SHA-256 of the file with 64 zeros in this place */
  int32_t x86_level; /* 2, 3 or 4 for x86-64-v2, v3, v4; else 0 */
  int32_t arm_fp16;  /* 1 when half-precision arithmetic is needed */
} cocomp_plan;

extern const cocomp_plan cocomp_the_plan;
extern const char cocomp_weights[];

#endif
