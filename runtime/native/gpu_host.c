/* What the processor does of a model on a GPU: kernels that GPUs cannot compute, between those that they can. */
#include "gpu_model.h"
#include "pool.h"
#include "system.h"

static size_t scratch_bytes(const cocomp_model *model) { return (size_t)model->threads * (size_t)plan->scratch_bytes; }

int cocomp_gpu_create_host(cocomp_model *model, int threads) {
  if (!plan->task_count) return COCOMP_OK;
  if (!cocomp_fits_processor(plan->x86_level, plan->arm_fp16)) return COCOMP_WRONG_CPU;
  model->threads = threads ? threads : cocomp_processors();
  model->scratch = cocomp_pages(scratch_bytes(model));
  if (!model->scratch) return COCOMP_OUT_OF_MEMORY;
  int out_of_memory = 0;
  model->pool = cocomp_pool_create(model->threads, &out_of_memory);
  return model->pool ? COCOMP_OK : out_of_memory ? COCOMP_OUT_OF_MEMORY : COCOMP_NO_THREADS;
}

void cocomp_gpu_destroy_host(cocomp_model *model) {
  cocomp_pool_destroy(model->pool);
  if (model->scratch) cocomp_free_pages(model->scratch, scratch_bytes(model));
}

static char *address(cocomp_model *model, const cocomp_gpu_binding *binding) {
  switch (binding->space) {
    case COCOMP_GPU_INPUT: return model->tensors.mapped + cocomp_gpu_tensor_offset(binding->offset, 0);
    case COCOMP_GPU_OUTPUT: return model->tensors.mapped + cocomp_gpu_tensor_offset(binding->offset, 1);
    case COCOMP_GPU_WEIGHTS: return (char *)cocomp_weights + binding->offset;
    default: return (model->arena.mapped ? model->arena.mapped : model->shadow) + binding->offset;
  }
}

/* Copies operands between the shadow and an arena that the host does not see. All of them come, those that are written too: others
 * may have put something beside what this kernel writes. */
static int copy_operands(cocomp_model *model, const cocomp_gpu_dispatch *dispatch, int upload) {
  const cocomp_gpu_task *task = &plan->tasks[dispatch->task];
  int status = model->arena.mapped ? COCOMP_OK : cocomp_gpu_create_shadow(model);
  for (int32_t i = 0; !status && !model->arena.mapped && i < task->bindings; i++) {
    const cocomp_gpu_binding *binding = &plan->bindings[dispatch->first_binding + i];
    if (binding->space == COCOMP_GPU_ARENA && (!upload || task->written >> i & 1))
      status = cocomp_gpu_copy(model, &model->arena, binding->offset, model->shadow + binding->offset, binding->bytes, upload);
  }
  return status;
}

struct call {
  cocomp_kernel kernel;
  char *scratch;
  char *arguments[COCOMP_MAX_ARGUMENTS];
};

static void run_tasks(const void *context, int64_t first, int64_t last, int thread) {
  const struct call *call = context;
  call->kernel(call->arguments, first, last, call->scratch + thread * plan->scratch_bytes);
}

int cocomp_gpu_run_on_host(cocomp_model *model, int64_t number) {
  const cocomp_gpu_dispatch *dispatch = &plan->dispatches[number];
  const cocomp_gpu_task *task = &plan->tasks[dispatch->task];
  const int status = copy_operands(model, dispatch, 0);
  if (status) return status;
  struct call call = {.kernel = task->kernel, .scratch = model->scratch};
  for (int32_t i = 0; i < task->bindings; i++)
    call.arguments[i] = address(model, &plan->bindings[dispatch->first_binding + i]);
  cocomp_pool_run(model->pool, run_tasks, &call, task->count);
  return copy_operands(model, dispatch, 1);
}
