/* Runs a plan. */
#include "cocomp.h"

#include <stdatomic.h>
#include <stddef.h>

#include "calls.h"
#include "plan.h"
#include "pool.h"
#include "system.h"

#define EXPORT __attribute__((visibility("default")))

struct cocomp_model {
  cocomp_pool *pool;
  char *arena;
  char *persistent;
  char *scratch;
  int threads;
  int64_t *nanoseconds;
  int profiling;
  atomic_flag running;
};

EXPORT const char *cocomp_manifest(void) { return cocomp_the_plan.manifest; }

EXPORT const char *cocomp_device(const cocomp_model *model) {
  (void)model;
  return NULL;
}

EXPORT const char *cocomp_failed_at(void) { return ""; }

static size_t profile_bytes(void) { return (size_t)cocomp_the_plan.dispatch_count * sizeof(int64_t); }

static size_t scratch_bytes(int threads) { return (size_t)threads * (size_t)cocomp_the_plan.scratch_bytes; }

static void run_dispatch(cocomp_model *model, int64_t number, const void *const *inputs, void *const *outputs);

static void prepare(cocomp_model *model) {
  const cocomp_plan *plan = &cocomp_the_plan;
  for (int64_t i = 0; i < plan->prepare_count; i++) run_dispatch(model, i, NULL, NULL);
  cocomp_forget(cocomp_weights + plan->released_from, (size_t)(plan->weights_bytes - plan->released_from));
}

static int allocate(cocomp_model *model) {
  model->arena = cocomp_pages((size_t)cocomp_the_plan.arena_bytes);
  model->persistent = cocomp_pages((size_t)cocomp_the_plan.persistent_bytes);
  model->scratch = cocomp_pages(scratch_bytes(model->threads));
  model->nanoseconds = cocomp_pages(profile_bytes());
  return model->arena && model->persistent && model->scratch && model->nanoseconds;
}

EXPORT int cocomp_create(int threads, cocomp_model **made) {
  if (!made || threads < 0 || threads > COCOMP_MAX_THREADS) return COCOMP_INVALID_ARGUMENT;
  *made = NULL;
  if (!cocomp_fits_processor(cocomp_the_plan.x86_level, cocomp_the_plan.arm_fp16)) return COCOMP_WRONG_CPU;
  cocomp_model *model = cocomp_pages(sizeof *model);
  if (!model) return COCOMP_OUT_OF_MEMORY;
  model->threads = threads ? threads : cocomp_processors();
  int status = allocate(model) ? COCOMP_OK : COCOMP_OUT_OF_MEMORY;
  if (!status) {
    int out_of_memory = 0;
    model->pool = cocomp_pool_create(model->threads, &out_of_memory);
    if (!model->pool) status = out_of_memory ? COCOMP_OUT_OF_MEMORY : COCOMP_NO_THREADS;
  }
  if (status) {
    cocomp_destroy(model);
    return status;
  }
  prepare(model);
  *made = model;
  return COCOMP_OK;
}

static char *address(const cocomp_model *model, const cocomp_argument *argument, const void *const *inputs,
                     void *const *outputs) {
  switch (argument->space) {
    case COCOMP_INPUT: return (char *)inputs[argument->offset];
    case COCOMP_OUTPUT: return outputs[argument->offset];
    case COCOMP_WEIGHTS: return (char *)cocomp_weights + argument->offset;
    case COCOMP_PERSISTENT: return model->persistent + argument->offset;
    default: return model->arena + argument->offset;
  }
}

struct call {
  cocomp_kernel kernel;
  char *scratch;
  char *arguments[COCOMP_MAX_ARGUMENTS];
};

static void run_tasks(const void *context, int64_t first, int64_t last, int thread) {
  const struct call *call = context;
  call->kernel(call->arguments, first, last, call->scratch + thread * cocomp_the_plan.scratch_bytes);
}

static void run_dispatch(cocomp_model *model, int64_t number, const void *const *inputs, void *const *outputs) {
  const cocomp_dispatch *dispatch = &cocomp_the_plan.dispatches[number];
  struct call call = {.kernel = dispatch->kernel, .scratch = model->scratch};
  for (int32_t i = 0; i < dispatch->arguments; i++)
    call.arguments[i] = address(model, &cocomp_the_plan.arguments[dispatch->first_argument + i], inputs, outputs);
  const int64_t start = model->profiling ? cocomp_nanoseconds() : 0;
  cocomp_pool_run(model->pool, run_tasks, &call, dispatch->tasks);
  if (model->profiling) model->nanoseconds[number] = cocomp_nanoseconds() - start;
}

EXPORT int cocomp_run_some(cocomp_model *model, const void *const *inputs, void *const *outputs, int64_t count) {
  const cocomp_plan *plan = &cocomp_the_plan;
  if (!model || count < 0 || count > plan->dispatch_count - plan->prepare_count) return COCOMP_INVALID_ARGUMENT;
  if (cocomp_has_null(inputs, plan->input_count)) return COCOMP_INVALID_ARGUMENT;
  if (cocomp_has_null((const void *const *)outputs, plan->output_count)) return COCOMP_INVALID_ARGUMENT;
  if (atomic_flag_test_and_set_explicit(&model->running, memory_order_acquire)) return COCOMP_BUSY;
  for (int64_t i = 0; i < count; i++) run_dispatch(model, plan->prepare_count + i, inputs, outputs);
  atomic_flag_clear_explicit(&model->running, memory_order_release);
  return COCOMP_OK;
}

EXPORT int cocomp_run(cocomp_model *model, const void *const *inputs, void *const *outputs) {
  return cocomp_run_some(model, inputs, outputs, cocomp_the_plan.dispatch_count - cocomp_the_plan.prepare_count);
}

EXPORT const void *cocomp_arena(const cocomp_model *model) { return model ? model->arena : NULL; }

EXPORT int cocomp_set_profiling(cocomp_model *model, int enabled) {
  if (!model) return COCOMP_INVALID_ARGUMENT;
  model->profiling = enabled != 0;
  return COCOMP_OK;
}

EXPORT int cocomp_profile(const cocomp_model *model, int64_t *nanoseconds, int64_t count) {
  if (!model || !nanoseconds || count < 0) return COCOMP_INVALID_ARGUMENT;
  const int64_t prepared = cocomp_the_plan.prepare_count;
  cocomp_copy_times(nanoseconds, model->nanoseconds + prepared, count, cocomp_the_plan.dispatch_count - prepared);
  return COCOMP_OK;
}

EXPORT void cocomp_destroy(cocomp_model *model) {
  if (!model) return;
  cocomp_pool_destroy(model->pool);
  if (model->arena) cocomp_free_pages(model->arena, (size_t)cocomp_the_plan.arena_bytes);
  if (model->persistent) cocomp_free_pages(model->persistent, (size_t)cocomp_the_plan.persistent_bytes);
  if (model->scratch) cocomp_free_pages(model->scratch, scratch_bytes(model->threads));
  if (model->nanoseconds) cocomp_free_pages(model->nanoseconds, profile_bytes());
  cocomp_free_pages(model, sizeof *model);
}
