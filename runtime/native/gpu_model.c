/* Runs a plan on a GPU: command buffers, recorded when the model is created, are submitted again for every run. There is one, unless
 * the processor has kernels to run between others. */
#include "gpu_model.h"

#include "calls.h"
#include "system.h"

#define EXPORT __attribute__((visibility("default")))

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

EXPORT const char *cocomp_manifest(void) { return plan->manifest; }

static _Atomic(const char *) failed_at = "";

EXPORT const char *cocomp_failed_at(void) { return failed_at; }

int cocomp_gpu_failed(int64_t dispatch, int status) {
  if (status) failed_at = plan->dispatches[dispatch].layer;
  return status;
}

static size_t handles_bytes(void) {
  const int64_t images = 2 * plan->image_count + plan->slot_count;
  return (size_t)(3 * plan->shader_count + plan->dispatch_count + plan->binding_count + images) * sizeof(VkHandle);
}

static size_t profile_bytes(void) { return (size_t)(plan->dispatch_count + 1) * sizeof(int64_t); }

static size_t recorded_bytes(void) { return (size_t)plan->dispatch_count * sizeof(VkCommandBuffer); }

static int is_on_host(int64_t number) { return plan->dispatches[number].shader < 0; }

/* Where a segment ends that begins with dispatch number `first`, of `count`: one of the processor is one by itself. */
static int64_t segment_end(int64_t first, int64_t count) {
  int64_t end = first + 1;
  while (!is_on_host(first) && end < count && !is_on_host(end)) end++;
  return end;
}

static int record_segments(cocomp_model *model) {
  int status = COCOMP_OK;
  for (int64_t first = 0, end; !status && first < plan->dispatch_count; first = end) {
    end = segment_end(first, plan->dispatch_count);
    if (is_on_host(first)) continue;
    status = cocomp_gpu_begin(model, &model->recorded[first]);
    if (status) return status;
    cocomp_gpu_record(model, model->recorded[first], first, end - first, 0);
    status = cocomp_gpu_status(model->gpu.EndCommandBuffer(model->recorded[first]));
  }
  return status;
}

static int create(cocomp_model *model, int threads) {
  model->layouts = cocomp_pages(handles_bytes());
  model->nanoseconds = cocomp_pages(profile_bytes());
  model->recorded = cocomp_pages(recorded_bytes());
  if (!model->layouts || !model->nanoseconds || !model->recorded) return COCOMP_OUT_OF_MEMORY;
  model->pipeline_layouts = model->layouts + plan->shader_count;
  model->pipelines = model->pipeline_layouts + plan->shader_count;
  model->sets = model->pipelines + plan->shader_count;
  model->views = model->sets + plan->dispatch_count;
  model->images = model->views + plan->binding_count;
  model->image_views = model->images + plan->image_count;
  model->slots = model->image_views + plan->image_count;
  int status = cocomp_gpu_create_host(model, threads);
  if (!status) status = cocomp_gpu_open(&model->gpu, plan->features);
  if (!status) status = cocomp_gpu_create_commands(model);
  if (!status) status = cocomp_gpu_create_memory(model);
  if (!status) status = cocomp_gpu_create_images(model);
  if (!status) status = cocomp_gpu_create_pipelines(model);
  if (!status) status = cocomp_gpu_create_sets(model);
  return status ? status : record_segments(model);
}

EXPORT int cocomp_create(int threads, cocomp_model **made) {
  if (!made || threads < 0 || threads > COCOMP_MAX_THREADS) return COCOMP_INVALID_ARGUMENT;
  *made = NULL;
  failed_at = "";
  cocomp_model *model = cocomp_pages(sizeof *model);
  if (!model) return COCOMP_OUT_OF_MEMORY;
  const int status = create(model, threads);
  if (status)
    cocomp_destroy(model);
  else
    *made = model;
  return status;
}

static int read_times(cocomp_model *model, int64_t first, int64_t count) {
  cocomp_gpu *gpu = &model->gpu;
  int64_t *times = model->nanoseconds + first;
  uint64_t *stamps = (uint64_t *)times;
  const uint64_t mask = ~(uint64_t)0 >> (64 - gpu->timestamp_bits);
  const VkResult result =
      gpu->GetQueryPoolResults(gpu->device, model->queries, 0, (uint32_t)count + 1,
                               (size_t)(count + 1) * sizeof *stamps, stamps, sizeof *stamps, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
  for (int64_t i = 0; !result && i < count; i++)
    times[i] =
        (int64_t)((double)((stamps[i + 1] - stamps[i]) & mask) * (double)gpu->properties.limits.timestampPeriod);
  return cocomp_gpu_status(result);
}

static int run_recorded_now(cocomp_model *model, int64_t first, int64_t count, int timed) {
  VkCommandBuffer commands;
  const int status = cocomp_gpu_begin(model, &commands);
  if (status) return status;
  cocomp_gpu_record(model, commands, first, count, timed);
  return cocomp_gpu_finish(model, commands);
}

/* One launch after the other, by the clock of the host: for the processor's, and queues without a clock. */
static int run_by_the_clock(cocomp_model *model, int64_t first, int64_t end) {
  int status = COCOMP_OK;
  for (int64_t i = first; !status && i < end; i++) {
    const int64_t start = cocomp_nanoseconds();
    status = is_on_host(i) ? cocomp_gpu_run_on_host(model, i) : run_recorded_now(model, i, 1, 0);
    model->nanoseconds[i] = cocomp_nanoseconds() - start;
  }
  return status;
}

static int run_profiled(cocomp_model *model, int64_t first, int64_t end) {
  if (is_on_host(first) || !model->gpu.timestamp_bits) return run_by_the_clock(model, first, end);
  const int status = run_recorded_now(model, first, end - first, 1);
  return status ? status : read_times(model, first, end - first);
}

static size_t shadow_bytes(void) { return (size_t)(plan->arena_bytes + plan->image_bytes); }

int cocomp_gpu_create_shadow(cocomp_model *model) {
  if (!model->shadow) model->shadow = cocomp_pages(shadow_bytes());
  return model->shadow ? COCOMP_OK : COCOMP_OUT_OF_MEMORY;
}

/* Where the host does not see the arena, or there are images that `count` dispatches have left, it gets a copy. */
static int copy_arena(cocomp_model *model, int64_t count) {
  if (model->arena.mapped && !plan->image_count) return COCOMP_OK;
  int status = cocomp_gpu_create_shadow(model);
  if (status) return status;
  if (model->arena.mapped)
    memcpy(model->shadow, model->arena.mapped, (size_t)plan->arena_bytes);
  else
    status = cocomp_gpu_copy(model, &model->arena, 0, model->shadow, plan->arena_bytes, 0);
  return status ? status : cocomp_gpu_copy_images(model, model->shadow, count - 1);
}

static int run_segment(cocomp_model *model, int64_t first, int64_t end) {
  if (model->profiling) return run_profiled(model, first, end);
  if (is_on_host(first)) return cocomp_gpu_run_on_host(model, first);
  const int is_whole = end == segment_end(first, plan->dispatch_count);
  return is_whole ? cocomp_gpu_submit(model, model->recorded[first]) : run_recorded_now(model, first, end - first, 0);
}

static int run(cocomp_model *model, int64_t count) {
  int status = COCOMP_OK;
  for (int64_t first = 0, end; !status && first < count; first = end) {
    end = segment_end(first, count);
    status = run_segment(model, first, end);
  }
  return status;
}

/* `is_looked_into`: whether the host wants to see the arena afterwards. */
static int run_model(cocomp_model *model, const void *const *inputs, void *const *outputs, int64_t count, int is_looked_into) {
  if (!model || count < 0 || count > plan->dispatch_count) return COCOMP_INVALID_ARGUMENT;
  if (cocomp_has_null(inputs, plan->input_count)) return COCOMP_INVALID_ARGUMENT;
  if (cocomp_has_null((const void *const *)outputs, plan->output_count)) return COCOMP_INVALID_ARGUMENT;
  if (atomic_flag_test_and_set_explicit(&model->running, memory_order_acquire)) return COCOMP_BUSY;
  for (int64_t i = 0; i < plan->input_count; i++)
    memcpy(model->tensors.mapped + cocomp_gpu_tensor_offset(i, 0), inputs[i], (size_t)plan->input_bytes[i]);
  int status = run(model, count);
  if (!status && is_looked_into) status = copy_arena(model, count);
  for (int64_t i = 0; !status && i < plan->output_count; i++)
    memcpy(outputs[i], model->tensors.mapped + cocomp_gpu_tensor_offset(i, 1), (size_t)plan->output_bytes[i]);
  atomic_flag_clear_explicit(&model->running, memory_order_release);
  return status;
}

EXPORT int cocomp_run_some(cocomp_model *model, const void *const *inputs, void *const *outputs, int64_t count) {
  return run_model(model, inputs, outputs, count, 1);
}

EXPORT int cocomp_run(cocomp_model *model, const void *const *inputs, void *const *outputs) {
  return run_model(model, inputs, outputs, plan->dispatch_count, 0);
}

EXPORT const char *cocomp_device(const cocomp_model *model) { return model ? model->gpu.properties.deviceName : NULL; }

EXPORT const void *cocomp_arena(const cocomp_model *model) {
  return !model ? NULL : model->arena.mapped && !plan->image_count ? model->arena.mapped : model->shadow;
}

EXPORT int cocomp_set_profiling(cocomp_model *model, int enabled) {
  if (!model) return COCOMP_INVALID_ARGUMENT;
  model->profiling = enabled != 0;
  return COCOMP_OK;
}

EXPORT int cocomp_profile(const cocomp_model *model, int64_t *nanoseconds, int64_t count) {
  if (!model || !nanoseconds || count < 0) return COCOMP_INVALID_ARGUMENT;
  cocomp_copy_times(nanoseconds, model->nanoseconds, count, plan->dispatch_count);
  return COCOMP_OK;
}

EXPORT void cocomp_destroy(cocomp_model *model) {
  if (!model) return;
  if (model->gpu.QueueSubmit) cocomp_gpu_destroy_objects(model); /* the last function that opening a device finds */
  cocomp_gpu_close(&model->gpu);
  cocomp_gpu_destroy_host(model);
  if (model->recorded) cocomp_free_pages(model->recorded, recorded_bytes());
  if (model->shadow) cocomp_free_pages(model->shadow, shadow_bytes());
  if (model->layouts) cocomp_free_pages(model->layouts, handles_bytes());
  if (model->nanoseconds) cocomp_free_pages(model->nanoseconds, profile_bytes());
  cocomp_free_pages(model, sizeof *model);
}
