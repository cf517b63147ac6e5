/* Runs a plan. */
#include "cocomp.h"

#include <stdatomic.h>
#include <stddef.h>

#include "plan.h"
#include "pool.h"
#include "system.h"

#define EXPORT __attribute__((visibility("default")))

enum { MAX_THREADS = 256 };

struct cocomp_model {
  cocomp_pool *pool;
  char *arena;
  int64_t *nanoseconds;
  int profiling;
  atomic_flag running;
};

EXPORT const char *cocomp_message(int status) {
  switch (status) {
    case COCOMP_OK: return "no error";
    case COCOMP_INVALID_ARGUMENT: return "a null pointer or a number out of range was passed";
    case COCOMP_OUT_OF_MEMORY: return "out of memory";
    case COCOMP_NO_THREADS: return "the system refused to start a thread";
    case COCOMP_WRONG_CPU: return "this processor lacks instructions that the model was compiled for";
    case COCOMP_BUSY: return "the model is running in another thread";
    default: return "unknown status";
  }
}

EXPORT const char *cocomp_manifest(void) { return cocomp_the_plan.manifest; }

static int fits_processor(void) {
  if (cocomp_the_plan.x86_level > cocomp_x86_level()) return 0;
  return !cocomp_the_plan.arm_fp16 || cocomp_arm_fp16();
}

static size_t profile_bytes(void) { return (size_t)cocomp_the_plan.dispatch_count * sizeof(int64_t); }

EXPORT int cocomp_create(int threads, cocomp_model **made) {
  if (!made || threads < 0 || threads > MAX_THREADS) return COCOMP_INVALID_ARGUMENT;
  *made = NULL;
  if (!fits_processor()) return COCOMP_WRONG_CPU;
  if (!threads) threads = cocomp_processors();
  cocomp_model *model = cocomp_pages(sizeof *model);
  if (!model) return COCOMP_OUT_OF_MEMORY;
  int out_of_memory = 0;
  model->arena = cocomp_pages((size_t)cocomp_the_plan.arena_bytes);
  model->nanoseconds = cocomp_pages(profile_bytes());
  if (!model->arena || !model->nanoseconds) {
    cocomp_destroy(model);
    return COCOMP_OUT_OF_MEMORY;
  }
  model->pool = cocomp_pool_create(threads, &out_of_memory);
  if (!model->pool) {
    cocomp_destroy(model);
    return out_of_memory ? COCOMP_OUT_OF_MEMORY : COCOMP_NO_THREADS;
  }
  *made = model;
  return COCOMP_OK;
}

static char *address(const cocomp_model *model, const cocomp_argument *argument, const void *const *inputs,
                     void *const *outputs) {
  switch (argument->space) {
    case COCOMP_INPUT: return (char *)inputs[argument->offset];
    case COCOMP_OUTPUT: return outputs[argument->offset];
    case COCOMP_WEIGHTS: return (char *)cocomp_weights + argument->offset;
    default: return model->arena + argument->offset;
  }
}

static void run_dispatch(cocomp_model *model, int64_t number, const void *const *inputs, void *const *outputs) {
  const cocomp_dispatch *dispatch = &cocomp_the_plan.dispatches[number];
  char *arguments[COCOMP_MAX_ARGUMENTS];
  for (int32_t i = 0; i < dispatch->arguments; i++)
    arguments[i] = address(model, &cocomp_the_plan.arguments[dispatch->first_argument + i], inputs, outputs);
  const int64_t start = model->profiling ? cocomp_nanoseconds() : 0;
  cocomp_pool_run(model->pool, dispatch->kernel, arguments, dispatch->tasks);
  if (model->profiling) model->nanoseconds[number] = cocomp_nanoseconds() - start;
}

static int has_null(const void *const *pointers, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!pointers[i]) return 1;
  return 0;
}

EXPORT int cocomp_run_some(cocomp_model *model, const void *const *inputs, void *const *outputs, int64_t dispatches) {
  const cocomp_plan *plan = &cocomp_the_plan;
  if (!model || (plan->input_count && !inputs) || (plan->output_count && !outputs)) return COCOMP_INVALID_ARGUMENT;
  if (has_null(inputs, plan->input_count) || has_null((const void *const *)outputs, plan->output_count))
    return COCOMP_INVALID_ARGUMENT;
  if (dispatches < 0 || dispatches > plan->dispatch_count) return COCOMP_INVALID_ARGUMENT;
  if (atomic_flag_test_and_set_explicit(&model->running, memory_order_acquire)) return COCOMP_BUSY;
  for (int64_t i = 0; i < dispatches; i++) run_dispatch(model, i, inputs, outputs);
  atomic_flag_clear_explicit(&model->running, memory_order_release);
  return COCOMP_OK;
}

EXPORT int cocomp_run(cocomp_model *model, const void *const *inputs, void *const *outputs) {
  return cocomp_run_some(model, inputs, outputs, cocomp_the_plan.dispatch_count);
}

EXPORT const void *cocomp_arena(const cocomp_model *model) { return model ? model->arena : NULL; }

EXPORT int cocomp_set_profiling(cocomp_model *model, int enabled) {
  if (!model) return COCOMP_INVALID_ARGUMENT;
  model->profiling = enabled != 0;
  return COCOMP_OK;
}

EXPORT int cocomp_profile(const cocomp_model *model, int64_t *nanoseconds, int64_t count) {
  if (!model || !nanoseconds || count < 0) return COCOMP_INVALID_ARGUMENT;
  if (count > cocomp_the_plan.dispatch_count) count = cocomp_the_plan.dispatch_count;
  for (int64_t i = 0; i < count; i++) nanoseconds[i] = model->nanoseconds[i];
  return COCOMP_OK;
}

EXPORT void cocomp_destroy(cocomp_model *model) {
  if (!model) return;
  cocomp_pool_destroy(model->pool);
  if (model->arena) cocomp_free_pages(model->arena, (size_t)cocomp_the_plan.arena_bytes);
  if (model->nanoseconds) cocomp_free_pages(model->nanoseconds, profile_bytes());
  cocomp_free_pages(model, sizeof *model);
}
