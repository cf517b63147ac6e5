/* Runs a plan on a GPU: one command buffer, recorded when the model is created, is submitted again for every run. */
#include <stdatomic.h>

#include "cocomp.h"
#include "gpu_cache.h"
#include "gpu_plan.h"
#include "system.h"
#include "vulkan.h"

#define EXPORT __attribute__((visibility("default")))

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

enum { MAX_BINDINGS = 64, STAGING_BYTES = 16 << 20 };
#define FOREVER (~(uint64_t)0)

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
  VkHandle *views; /* of each binding that is no buffer */
  VkHandle set_pool;
  VkHandle command_pool;
  VkCommandBuffer recorded; /* of a whole run */
  VkHandle fence;
  VkHandle queries;
  cocomp_gpu_cache cache; /* while pipelines are made */
  char *shadow; /* copy of an arena that the host does not see */
  int64_t *nanoseconds;
  int profiling;
  atomic_flag running;
};

static const cocomp_gpu_plan *const plan = &cocomp_the_gpu_plan;

EXPORT const char *cocomp_manifest(void) { return plan->manifest; }

static int64_t aligned(int64_t bytes) { return (bytes + COCOMP_GPU_ALIGNMENT - 1) & -(int64_t)COCOMP_GPU_ALIGNMENT; }

/* Where a tensor of the caller begins in the buffer that holds them all; past the last one: the size of that. */
static int64_t tensor_offset(int64_t number, int is_output) {
  int64_t offset = 0;
  for (int64_t i = 0; i < (is_output ? plan->input_count : number); i++) offset += aligned(plan->input_bytes[i]);
  for (int64_t i = 0; is_output && i < number; i++) offset += aligned(plan->output_bytes[i]);
  return offset;
}

/* Command buffers -------------------------------------------------------------------------------------------------- */

static int begin_commands(cocomp_model *model, VkCommandBuffer *commands) {
  cocomp_gpu *gpu = &model->gpu;
  const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandPool = model->command_pool,
                                            .commandBufferCount = 1};
  int status = cocomp_gpu_status(gpu->AllocateCommandBuffers(gpu->device, &info, commands));
  if (status) return status;
  const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  status = cocomp_gpu_status(gpu->BeginCommandBuffer(*commands, &begin));
  if (status) gpu->FreeCommandBuffers(gpu->device, model->command_pool, 1, commands);
  return status;
}

static int submit(cocomp_model *model, VkCommandBuffer commands) {
  cocomp_gpu *gpu = &model->gpu;
  const VkSubmitInfo info = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
  VkResult result = gpu->ResetFences(gpu->device, 1, &model->fence);
  if (result) return cocomp_gpu_status(result);
  result = gpu->QueueSubmit(gpu->queue, 1, &info, model->fence);
  if (!result) result = gpu->WaitForFences(gpu->device, 1, &model->fence, 1, FOREVER);
  if (result) gpu->DeviceWaitIdle(gpu->device); /* nothing is in use when the caller goes on */
  return cocomp_gpu_status(result);
}

/* End, run and forget commands that are not needed again. */
static int finish_commands(cocomp_model *model, VkCommandBuffer commands) {
  int status = cocomp_gpu_status(model->gpu.EndCommandBuffer(commands));
  if (!status) status = submit(model, commands);
  model->gpu.FreeCommandBuffers(model->gpu.device, model->command_pool, 1, &commands);
  return status;
}

/* How stages touch memory, of what barriers are about. */
static uint32_t accesses(uint32_t stages, uint32_t shader, uint32_t transfer, uint32_t host) {
  return (stages & VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT ? shader : 0) |
         (stages & VK_PIPELINE_STAGE_TRANSFER_BIT ? transfer : 0) | (stages & VK_PIPELINE_STAGE_HOST_BIT ? host : 0);
}

/* What the stages `after` wrote is there for the stages `before`. */
static void barrier(cocomp_model *model, VkCommandBuffer commands, uint32_t after, uint32_t before) {
  const VkMemoryBarrier all = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask = accesses(after, VK_ACCESS_SHADER_WRITE_BIT, VK_ACCESS_TRANSFER_WRITE_BIT, 0),
      .dstAccessMask = accesses(before, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                                VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT)};
  model->gpu.CmdPipelineBarrier(commands, after, before, 0, 1, &all, 0, NULL, 0, NULL);
}

/* `count` dispatches from number `first` on; with a timestamp before each and one at the end where `timed`. */
static void record(cocomp_model *model, VkCommandBuffer commands, int64_t first, int64_t count, int timed) {
  cocomp_gpu *gpu = &model->gpu;
  const uint32_t compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  if (timed) gpu->CmdResetQueryPool(commands, model->queries, 0, (uint32_t)plan->dispatch_count + 1);
  if (timed) gpu->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, model->queries, 0);
  for (int64_t i = first; i < first + count; i++) {
    const cocomp_gpu_dispatch *dispatch = &plan->dispatches[i];
    if (i > first) barrier(model, commands, compute, compute);
    gpu->CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, model->pipelines[dispatch->shader]);
    gpu->CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, model->pipeline_layouts[dispatch->shader], 0, 1,
                               &model->sets[i], 0, NULL);
    gpu->CmdDispatch(commands, dispatch->grid[0], dispatch->grid[1], dispatch->grid[2]);
    if (timed)
      gpu->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, model->queries, (uint32_t)i + 1);
  }
  /* For the host, for copies of the arena, and for the next run. */
  barrier(model, commands, compute, compute | VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT);
}

/* Copies between a buffer that the host does not see and memory of the host, in pieces. */
static int copy_through_staging(cocomp_model *model, cocomp_gpu_buffer *buffer, char *host, int64_t bytes, int upload) {
  int status = COCOMP_OK;
  if (!model->staging.buffer) status = cocomp_gpu_allocate(&model->gpu, STAGING_BYTES, COCOMP_GPU_HOST, &model->staging);
  for (int64_t start = 0; !status && start < bytes; start += STAGING_BYTES) {
    const int64_t size = bytes - start < STAGING_BYTES ? bytes - start : STAGING_BYTES;
    const VkBufferCopy region = {.srcOffset = upload ? 0 : (VkDeviceSize)start,
                                 .dstOffset = upload ? (VkDeviceSize)start : 0,
                                 .size = (VkDeviceSize)size};
    if (upload) memcpy(model->staging.mapped, host + start, (size_t)size);
    VkCommandBuffer commands;
    status = begin_commands(model, &commands);
    if (status) break;
    model->gpu.CmdCopyBuffer(commands, upload ? model->staging.buffer : buffer->buffer,
                             upload ? buffer->buffer : model->staging.buffer, 1, &region);
    barrier(model, commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT);
    status = finish_commands(model, commands);
    if (!status && !upload) memcpy(host + start, model->staging.mapped, (size_t)size);
  }
  return status;
}

/* Creation --------------------------------------------------------------------------------------------------------- */

/* What a kind of binding is to Vulkan; `texel` is bytes, 0 for a buffer. */
static const struct {
  int32_t descriptor;
  int32_t format;
  int64_t texel;
} FORMS[] = {
    [COCOMP_GPU_BUFFER] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 0, 0},
    [COCOMP_GPU_SINGLES32] = {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_FORMAT_R32_SFLOAT, 4},
    [COCOMP_GPU_SINGLES16] = {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_FORMAT_R16_SFLOAT, 2},
    [COCOMP_GPU_SINGLESI32] = {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_FORMAT_R32_UINT, 4},
    [COCOMP_GPU_QUADS32] = {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_FORMAT_R32G32B32A32_SFLOAT, 16},
    [COCOMP_GPU_QUADS16] = {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_FORMAT_R16G16B16A16_SFLOAT, 8},
    [COCOMP_GPU_WRITTEN32] = {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, VK_FORMAT_R32G32B32A32_SFLOAT, 16},
    [COCOMP_GPU_WRITTEN16] = {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, VK_FORMAT_R16G16B16A16_SFLOAT, 8},
};

/* Whether the device lets a kernel see so much memory at once. */
static int fits(const cocomp_gpu *gpu, const cocomp_gpu_shader *shader) {
  const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
  uint32_t buffers = 0, read = 0, written = 0;
  for (int32_t i = 0; i < shader->bindings; i++) {
    const int32_t descriptor = FORMS[plan->kinds[shader->first_kind + i]].descriptor;
    buffers += descriptor == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    read += descriptor == VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
    written += descriptor == VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER;
  }
  return buffers <= limits->maxPerStageDescriptorStorageBuffers && read <= limits->maxPerStageDescriptorSampledImages &&
         written <= limits->maxPerStageDescriptorStorageImages && buffers + read + written <= limits->maxPerStageResources;
}

static int create_shader(cocomp_model *model, int64_t number) {
  cocomp_gpu *gpu = &model->gpu;
  const cocomp_gpu_shader *shader = &plan->shaders[number];
  if (!fits(gpu, shader)) return COCOMP_TOO_MANY_BINDINGS;
  VkDescriptorSetLayoutBinding bindings[MAX_BINDINGS];
  for (int32_t i = 0; i < shader->bindings; i++)
    bindings[i] = (VkDescriptorSetLayoutBinding){.binding = (uint32_t)i,
                                                 .descriptorType = FORMS[plan->kinds[shader->first_kind + i]].descriptor,
                                                 .descriptorCount = 1,
                                                 .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  const VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                               .bindingCount = (uint32_t)shader->bindings,
                                               .pBindings = bindings};
  int status = cocomp_gpu_made(gpu->CreateDescriptorSetLayout(gpu->device, &set, NULL, &model->layouts[number]),
                               &model->layouts[number]);
  if (status) return status;
  const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                             .setLayoutCount = 1,
                                             .pSetLayouts = &model->layouts[number]};
  status = cocomp_gpu_made(gpu->CreatePipelineLayout(gpu->device, &layout, NULL, &model->pipeline_layouts[number]),
                           &model->pipeline_layouts[number]);
  if (status) return status;
  const VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                         .codeSize = (size_t)shader->bytes,
                                         .pCode = (const uint32_t *)(const void *)(cocomp_spirv + shader->offset)};
  VkHandle module;
  status = cocomp_gpu_status(gpu->CreateShaderModule(gpu->device, &code, NULL, &module));
  if (status) return status;
  const VkComputePipelineCreateInfo pipeline = {
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = shader->name},
      .layout = model->pipeline_layouts[number]};
  status = cocomp_gpu_made(gpu->CreateComputePipelines(gpu->device, model->cache.handle, 1, &pipeline, NULL,
                                                       &model->pipelines[number]),
                           &model->pipelines[number]);
  gpu->DestroyShaderModule(gpu->device, module, NULL);
  return status;
}

static VkDescriptorBufferInfo place(const cocomp_model *model, const cocomp_gpu_binding *binding) {
  const VkDeviceSize range = (VkDeviceSize)binding->bytes;
  switch (binding->space) {
    case COCOMP_GPU_INPUT:
      return (VkDescriptorBufferInfo){model->tensors.buffer, (VkDeviceSize)tensor_offset(binding->offset, 0), range};
    case COCOMP_GPU_OUTPUT:
      return (VkDescriptorBufferInfo){model->tensors.buffer, (VkDeviceSize)tensor_offset(binding->offset, 1), range};
    case COCOMP_GPU_WEIGHTS: return (VkDescriptorBufferInfo){model->weights.buffer, (VkDeviceSize)binding->offset, range};
    default: return (VkDescriptorBufferInfo){model->arena.buffer, (VkDeviceSize)binding->offset, range};
  }
}

/* Points a descriptor at the memory of a binding; texels need a view of it. */
static int bind(cocomp_model *model, VkHandle set, int64_t number, uint32_t place_in_set, int kind) {
  cocomp_gpu *gpu = &model->gpu;
  const cocomp_gpu_binding *binding = &plan->bindings[number];
  const int64_t texel = FORMS[kind].texel;
  const int64_t texels = texel ? (binding->bytes + texel - 1) / texel : 0;
  if (!texel && binding->bytes > (int64_t)gpu->properties.limits.maxStorageBufferRange) return COCOMP_TOO_LARGE;
  if (texels > (int64_t)gpu->properties.limits.maxTexelBufferElements) return COCOMP_TOO_LARGE;
  const VkDescriptorBufferInfo where = place(model, binding);
  if (texel) {
    const VkBufferViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                         .buffer = where.buffer,
                                         .format = FORMS[kind].format,
                                         .offset = where.offset,
                                         .range = (VkDeviceSize)(texels * texel)};
    const int status =
        cocomp_gpu_made(gpu->CreateBufferView(gpu->device, &view, NULL, &model->views[number]), &model->views[number]);
    if (status) return status;
  }
  const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                      .dstSet = set,
                                      .dstBinding = place_in_set,
                                      .descriptorCount = 1,
                                      .descriptorType = FORMS[kind].descriptor,
                                      .pBufferInfo = &where,
                                      .pTexelBufferView = &model->views[number]};
  gpu->UpdateDescriptorSets(gpu->device, 1, &write, 0, NULL);
  return COCOMP_OK;
}

static int create_sets(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  /* As if every binding could be of every kind: a few bytes too many. */
  const uint32_t count = plan->binding_count ? (uint32_t)plan->binding_count : 1;
  const VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count},
                                        {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, count},
                                        {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, count}};
  const VkDescriptorPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                           .maxSets = plan->dispatch_count ? (uint32_t)plan->dispatch_count : 1,
                                           .poolSizeCount = 3,
                                           .pPoolSizes = sizes};
  int status = cocomp_gpu_made(gpu->CreateDescriptorPool(gpu->device, &pool, NULL, &model->set_pool), &model->set_pool);
  for (int64_t i = 0; !status && i < plan->dispatch_count; i++) {
    const cocomp_gpu_dispatch *dispatch = &plan->dispatches[i];
    const cocomp_gpu_shader *shader = &plan->shaders[dispatch->shader];
    const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = model->set_pool,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &model->layouts[dispatch->shader]};
    status = cocomp_gpu_status(gpu->AllocateDescriptorSets(gpu->device, &info, &model->sets[i]));
    for (int32_t j = 0; !status && j < shader->bindings; j++)
      status = bind(model, model->sets[i], dispatch->first_binding + j, (uint32_t)j, plan->kinds[shader->first_kind + j]);
  }
  return status;
}

static int create_commands(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                        .queueFamilyIndex = gpu->family};
  const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  const VkQueryPoolCreateInfo queries = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                         .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                         .queryCount = (uint32_t)plan->dispatch_count + 1};
  int status = cocomp_gpu_made(gpu->CreateCommandPool(gpu->device, &pool, NULL, &model->command_pool), &model->command_pool);
  if (!status) status = cocomp_gpu_made(gpu->CreateFence(gpu->device, &fence, NULL, &model->fence), &model->fence);
  if (!status) status = cocomp_gpu_made(gpu->CreateQueryPool(gpu->device, &queries, NULL, &model->queries), &model->queries);
  return status;
}

static int create_pipelines(cocomp_model *model) {
  const cocomp_gpu_shader *last = &plan->shaders[plan->shader_count - 1];
  if (plan->shader_count)
    cocomp_gpu_cache_open(&model->gpu, cocomp_spirv, (size_t)(last->offset + last->bytes), &model->cache);
  int status = COCOMP_OK;
  for (int64_t i = 0; !status && i < plan->shader_count; i++) status = create_shader(model, i);
  if (!status) cocomp_gpu_cache_save(&model->gpu, &model->cache);
  cocomp_gpu_cache_close(&model->gpu, &model->cache);
  return status;
}

static int create_memory(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  int status = cocomp_gpu_allocate(gpu, plan->weights_bytes, COCOMP_GPU_LOCAL, &model->weights);
  if (!status) status = cocomp_gpu_allocate(gpu, plan->arena_bytes, COCOMP_GPU_LOCAL, &model->arena);
  const int64_t tensors = tensor_offset(plan->output_count, 1);
  if (!status) status = cocomp_gpu_allocate(gpu, tensors, COCOMP_GPU_HOST, &model->tensors);
  if (!status && !model->tensors.mapped) status = COCOMP_OUT_OF_DEVICE_MEMORY;
  if (status) return status;
  if (model->weights.mapped)
    memcpy(model->weights.mapped, cocomp_weights, (size_t)plan->weights_bytes);
  else
    status = copy_through_staging(model, &model->weights, (char *)cocomp_weights, plan->weights_bytes, 1);
  cocomp_forget(cocomp_weights, (size_t)plan->weights_bytes);
  return status;
}

static size_t handles_bytes(void) {
  return (size_t)(3 * plan->shader_count + plan->dispatch_count + plan->binding_count) * sizeof(VkHandle);
}

static size_t profile_bytes(void) { return (size_t)(plan->dispatch_count + 1) * sizeof(int64_t); }

static int create(cocomp_model *model) {
  model->layouts = cocomp_pages(handles_bytes());
  model->nanoseconds = cocomp_pages(profile_bytes());
  if (!model->layouts || !model->nanoseconds) return COCOMP_OUT_OF_MEMORY;
  model->pipeline_layouts = model->layouts + plan->shader_count;
  model->pipelines = model->pipeline_layouts + plan->shader_count;
  model->sets = model->pipelines + plan->shader_count;
  model->views = model->sets + plan->dispatch_count;
  int status = cocomp_gpu_open(&model->gpu, plan->features);
  if (!status) status = create_commands(model);
  if (!status) status = create_memory(model);
  if (!status) status = create_pipelines(model);
  if (!status) status = create_sets(model);
  if (!status) status = begin_commands(model, &model->recorded);
  if (status) return status;
  record(model, model->recorded, 0, plan->dispatch_count, 0);
  status = cocomp_gpu_status(model->gpu.EndCommandBuffer(model->recorded));
  return status;
}

EXPORT int cocomp_create(int threads, cocomp_model **made) {
  if (!made || threads < 0 || threads > COCOMP_MAX_THREADS) return COCOMP_INVALID_ARGUMENT;
  *made = NULL;
  cocomp_model *model = cocomp_pages(sizeof *model);
  if (!model) return COCOMP_OUT_OF_MEMORY;
  const int status = create(model);
  if (status)
    cocomp_destroy(model);
  else
    *made = model;
  return status;
}

/* Runs ------------------------------------------------------------------------------------------------------------- */

static int has_null(const void *const *pointers, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!pointers[i]) return 1;
  return 0;
}

static int read_times(cocomp_model *model, int64_t count) {
  cocomp_gpu *gpu = &model->gpu;
  uint64_t *stamps = (uint64_t *)model->nanoseconds;
  const uint64_t mask = ~(uint64_t)0 >> (64 - gpu->timestamp_bits);
  const VkResult result =
      gpu->GetQueryPoolResults(gpu->device, model->queries, 0, (uint32_t)count + 1, profile_bytes(), stamps, sizeof *stamps,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
  for (int64_t i = 0; !result && i < count; i++)
    model->nanoseconds[i] =
        (int64_t)((double)((stamps[i + 1] - stamps[i]) & mask) * (double)gpu->properties.limits.timestampPeriod);
  return cocomp_gpu_status(result);
}

static int run_recorded_now(cocomp_model *model, int64_t first, int64_t count, int timed) {
  VkCommandBuffer commands;
  const int status = begin_commands(model, &commands);
  if (status) return status;
  record(model, commands, first, count, timed);
  return finish_commands(model, commands);
}

/* One launch after the other, by the clock of the host: for queues without one. */
static int run_by_the_clock(cocomp_model *model, int64_t count) {
  int status = COCOMP_OK;
  for (int64_t i = 0; !status && i < count; i++) {
    const int64_t start = cocomp_nanoseconds();
    status = run_recorded_now(model, i, 1, 0);
    model->nanoseconds[i] = cocomp_nanoseconds() - start;
  }
  return status;
}

static int run_profiled(cocomp_model *model, int64_t count) {
  if (!model->gpu.timestamp_bits) return run_by_the_clock(model, count);
  const int status = run_recorded_now(model, 0, count, 1);
  return status ? status : read_times(model, count);
}

/* Where the host does not see the arena, it gets a copy. */
static int copy_arena(cocomp_model *model) {
  if (model->arena.mapped) return COCOMP_OK;
  if (!model->shadow) model->shadow = cocomp_pages((size_t)plan->arena_bytes);
  if (!model->shadow) return COCOMP_OUT_OF_MEMORY;
  return copy_through_staging(model, &model->arena, model->shadow, plan->arena_bytes, 0);
}

static int run(cocomp_model *model, int64_t count) {
  const int is_whole = count == plan->dispatch_count;
  const int status = model->profiling ? run_profiled(model, count)
                     : is_whole       ? submit(model, model->recorded)
                                      : run_recorded_now(model, 0, count, 0);
  return status || is_whole ? status : copy_arena(model);
}

EXPORT int cocomp_run_some(cocomp_model *model, const void *const *inputs, void *const *outputs, int64_t count) {
  if (!model || (plan->input_count && !inputs) || (plan->output_count && !outputs)) return COCOMP_INVALID_ARGUMENT;
  if (has_null(inputs, plan->input_count) || has_null((const void *const *)outputs, plan->output_count))
    return COCOMP_INVALID_ARGUMENT;
  if (count < 0 || count > plan->dispatch_count) return COCOMP_INVALID_ARGUMENT;
  if (atomic_flag_test_and_set_explicit(&model->running, memory_order_acquire)) return COCOMP_BUSY;
  for (int64_t i = 0; i < plan->input_count; i++)
    memcpy(model->tensors.mapped + tensor_offset(i, 0), inputs[i], (size_t)plan->input_bytes[i]);
  const int status = run(model, count);
  for (int64_t i = 0; !status && i < plan->output_count; i++)
    memcpy(outputs[i], model->tensors.mapped + tensor_offset(i, 1), (size_t)plan->output_bytes[i]);
  atomic_flag_clear_explicit(&model->running, memory_order_release);
  return status;
}

EXPORT int cocomp_run(cocomp_model *model, const void *const *inputs, void *const *outputs) {
  return cocomp_run_some(model, inputs, outputs, plan->dispatch_count);
}

EXPORT const void *cocomp_arena(const cocomp_model *model) {
  return !model ? NULL : model->arena.mapped ? model->arena.mapped : model->shadow;
}

EXPORT int cocomp_set_profiling(cocomp_model *model, int enabled) {
  if (!model) return COCOMP_INVALID_ARGUMENT;
  model->profiling = enabled != 0;
  return COCOMP_OK;
}

EXPORT int cocomp_profile(const cocomp_model *model, int64_t *nanoseconds, int64_t count) {
  if (!model || !nanoseconds || count < 0) return COCOMP_INVALID_ARGUMENT;
  if (count > plan->dispatch_count) count = plan->dispatch_count;
  for (int64_t i = 0; i < count; i++) nanoseconds[i] = model->nanoseconds[i];
  return COCOMP_OK;
}

static void destroy_objects(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  gpu->DeviceWaitIdle(gpu->device);
  for (int64_t i = 0; i < plan->shader_count; i++) {
    if (model->pipelines[i]) gpu->DestroyPipeline(gpu->device, model->pipelines[i], NULL);
    if (model->pipeline_layouts[i]) gpu->DestroyPipelineLayout(gpu->device, model->pipeline_layouts[i], NULL);
    if (model->layouts[i]) gpu->DestroyDescriptorSetLayout(gpu->device, model->layouts[i], NULL);
  }
  for (int64_t i = 0; i < plan->binding_count; i++)
    if (model->views[i]) gpu->DestroyBufferView(gpu->device, model->views[i], NULL);
  if (model->set_pool) gpu->DestroyDescriptorPool(gpu->device, model->set_pool, NULL);
  if (model->queries) gpu->DestroyQueryPool(gpu->device, model->queries, NULL);
  if (model->fence) gpu->DestroyFence(gpu->device, model->fence, NULL);
  if (model->command_pool) gpu->DestroyCommandPool(gpu->device, model->command_pool, NULL);
  cocomp_gpu_free(gpu, &model->weights);
  cocomp_gpu_free(gpu, &model->arena);
  cocomp_gpu_free(gpu, &model->tensors);
  cocomp_gpu_free(gpu, &model->staging);
}

EXPORT void cocomp_destroy(cocomp_model *model) {
  if (!model) return;
  if (model->gpu.QueueSubmit) destroy_objects(model); /* the last function that opening a device finds */
  cocomp_gpu_close(&model->gpu);
  if (model->shadow) cocomp_free_pages(model->shadow, (size_t)plan->arena_bytes);
  if (model->layouts) cocomp_free_pages(model->layouts, handles_bytes());
  if (model->nanoseconds) cocomp_free_pages(model->nanoseconds, profile_bytes());
  cocomp_free_pages(model, sizeof *model);
}
