/* The objects of Vulkan that a model on a GPU consists of. */
#include "gpu_model.h"
#include "system.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

enum { MAX_BINDINGS = 64 };

static int64_t aligned(int64_t bytes) { return (bytes + COCOMP_GPU_ALIGNMENT - 1) & -(int64_t)COCOMP_GPU_ALIGNMENT; }

int64_t cocomp_gpu_tensor_offset(int64_t number, int is_output) {
  int64_t offset = 0;
  for (int64_t i = 0; i < (is_output ? plan->input_count : number); i++) offset += aligned(plan->input_bytes[i]);
  for (int64_t i = 0; is_output && i < number; i++) offset += aligned(plan->output_bytes[i]);
  return offset;
}

/* What a kind of binding is to Vulkan; `texel` is bytes, 0 for a buffer, and for an image, which has a format
 * of its own. */
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
    [COCOMP_GPU_IMAGE] = {VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, 0, 0},
    [COCOMP_GPU_STORED] = {VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, 0, 0},
};

/* Whether the device lets a kernel see so much memory at once. */
static int fits(const cocomp_gpu *gpu, const cocomp_gpu_shader *shader) {
  const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
  uint32_t buffers = 0, read = 0, written = 0;
  for (int32_t i = 0; i < shader->bindings; i++) {
    const int32_t descriptor = FORMS[plan->kinds[shader->first_kind + i]].descriptor;
    buffers += descriptor == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    read += descriptor == VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER || descriptor == VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE;
    written += descriptor == VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER || descriptor == VK_DESCRIPTOR_TYPE_STORAGE_IMAGE;
  }
  return buffers <= limits->maxPerStageDescriptorStorageBuffers && read <= limits->maxPerStageDescriptorSampledImages &&
         written <= limits->maxPerStageDescriptorStorageImages && buffers + read + written <= limits->maxPerStageResources;
}

/* The first dispatch of a shader. */
static int64_t user_of(int64_t shader) {
  int64_t found = 0;
  while (plan->dispatches[found].shader != shader) found++;
  return found;
}

static int create_shader(cocomp_model *model, int64_t number) {
  cocomp_gpu *gpu = &model->gpu;
  const cocomp_gpu_shader *shader = &plan->shaders[number];
  if (!fits(gpu, shader)) return cocomp_gpu_failed(user_of(number), COCOMP_TOO_MANY_BINDINGS);
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
  const int is_output = binding->space == COCOMP_GPU_OUTPUT;
  const int is_tensor = is_output || binding->space == COCOMP_GPU_INPUT;
  const int64_t offset = is_tensor ? cocomp_gpu_tensor_offset(binding->offset, is_output) : binding->offset;
  const cocomp_gpu_buffer *buffer = is_tensor                                ? &model->tensors
                                    : binding->space == COCOMP_GPU_WEIGHTS ? &model->weights
                                                                           : &model->arena;
  return (VkDescriptorBufferInfo){buffer->buffer, (VkDeviceSize)(offset + binding->start), (VkDeviceSize)binding->bytes};
}

static void bind_image(cocomp_model *model, VkHandle set, int64_t number, uint32_t place_in_set, int kind) {
  const VkDescriptorImageInfo image = {.imageView = model->image_views[number], .imageLayout = VK_IMAGE_LAYOUT_GENERAL};
  const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                      .dstSet = set,
                                      .dstBinding = place_in_set,
                                      .descriptorCount = 1,
                                      .descriptorType = FORMS[kind].descriptor,
                                      .pImageInfo = &image};
  model->gpu.UpdateDescriptorSets(model->gpu.device, 1, &write, 0, NULL);
}

/* Whether the device lets a kernel see as much of a buffer as a binding shows, in texels where these have bytes. */
static int shows(const cocomp_gpu *gpu, const cocomp_gpu_binding *binding, int64_t texel) {
  const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
  if (!texel) return binding->bytes <= (int64_t)limits->maxStorageBufferRange;
  return (binding->bytes + texel - 1) / texel <= (int64_t)limits->maxTexelBufferElements;
}

/* Points a descriptor at the memory of a binding; texels of a buffer need a view of it. */
static int bind(cocomp_model *model, VkHandle set, int64_t number, uint32_t place_in_set, int kind) {
  cocomp_gpu *gpu = &model->gpu;
  const cocomp_gpu_binding *binding = &plan->bindings[number];
  if (binding->space == COCOMP_GPU_IN_IMAGE) {
    bind_image(model, set, binding->offset, place_in_set, kind);
    return COCOMP_OK;
  }
  const int64_t texel = FORMS[kind].texel;
  if (!shows(gpu, binding, texel)) return COCOMP_TOO_LARGE;
  const VkDescriptorBufferInfo where = place(model, binding);
  if (texel) {
    const VkBufferViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                         .buffer = where.buffer,
                                         .format = FORMS[kind].format,
                                         .offset = where.offset,
                                         .range = (VkDeviceSize)((binding->bytes + texel - 1) / texel * texel)};
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

int cocomp_gpu_create_sets(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  /* As if every binding could be of every kind: a few bytes too many. */
  const uint32_t count = plan->binding_count ? (uint32_t)plan->binding_count : 1;
  const VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count},
                                        {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, count},
                                        {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, count},
                                        {VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, count},
                                        {VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, count}};
  const VkDescriptorPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                           .maxSets = plan->dispatch_count ? (uint32_t)plan->dispatch_count : 1,
                                           .poolSizeCount = sizeof sizes / sizeof *sizes,
                                           .pPoolSizes = sizes};
  int status = cocomp_gpu_made(gpu->CreateDescriptorPool(gpu->device, &pool, NULL, &model->set_pool), &model->set_pool);
  for (int64_t i = 0; !status && i < plan->dispatch_count; i++) {
    const cocomp_gpu_dispatch *dispatch = &plan->dispatches[i];
    if (dispatch->shader < 0) continue;
    const cocomp_gpu_shader *shader = &plan->shaders[dispatch->shader];
    const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = model->set_pool,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &model->layouts[dispatch->shader]};
    status = cocomp_gpu_status(gpu->AllocateDescriptorSets(gpu->device, &info, &model->sets[i]));
    for (int32_t j = 0; !status && j < shader->bindings; j++)
      status = cocomp_gpu_failed(i, bind(model, model->sets[i], dispatch->first_binding + j, (uint32_t)j,
                                         plan->kinds[shader->first_kind + j]));
  }
  return status;
}

int cocomp_gpu_create_commands(cocomp_model *model) {
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

int cocomp_gpu_create_pipelines(cocomp_model *model) {
  const cocomp_gpu_shader *last = &plan->shaders[plan->shader_count - 1];
  if (plan->shader_count)
    cocomp_gpu_cache_open(&model->gpu, cocomp_spirv, (size_t)(last->offset + last->bytes), &model->cache);
  int status = COCOMP_OK;
  for (int64_t i = 0; !status && i < plan->shader_count; i++) status = create_shader(model, i);
  if (!status) cocomp_gpu_cache_save(&model->gpu, &model->cache);
  cocomp_gpu_cache_close(&model->gpu, &model->cache);
  return status;
}

int cocomp_gpu_create_memory(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  int status = cocomp_gpu_allocate(gpu, plan->weights_bytes, COCOMP_GPU_LOCAL, &model->weights);
  if (!status) status = cocomp_gpu_allocate(gpu, plan->arena_bytes, COCOMP_GPU_LOCAL, &model->arena);
  const int64_t tensors = cocomp_gpu_tensor_offset(plan->output_count, 1);
  if (!status) status = cocomp_gpu_allocate(gpu, tensors, COCOMP_GPU_HOST, &model->tensors);
  if (!status && !model->tensors.mapped) status = COCOMP_OUT_OF_DEVICE_MEMORY;
  if (status) return status;
  if (model->weights.mapped)
    memcpy(model->weights.mapped, cocomp_weights, (size_t)plan->weights_bytes);
  else
    status = cocomp_gpu_copy(model, &model->weights, 0, (char *)cocomp_weights, plan->weights_bytes, 1);
  cocomp_forget(cocomp_weights, (size_t)plan->weights_bytes);
  return status;
}

void cocomp_gpu_destroy_objects(cocomp_model *model) {
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
  cocomp_gpu_destroy_images(model);
  cocomp_gpu_free(gpu, &model->weights);
  cocomp_gpu_free(gpu, &model->arena);
  cocomp_gpu_free(gpu, &model->tensors);
  cocomp_gpu_free(gpu, &model->staging);
}
