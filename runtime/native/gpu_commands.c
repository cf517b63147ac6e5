/* What a model on a GPU tells the device to do: runs, and copies of memory that the host does not see. */
#include "gpu_model.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

#define FOREVER (~(uint64_t)0)

int cocomp_gpu_begin(cocomp_model *model, VkCommandBuffer *commands) {
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

int cocomp_gpu_submit(cocomp_model *model, VkCommandBuffer commands) {
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

int cocomp_gpu_finish(cocomp_model *model, VkCommandBuffer commands) {
  int status = cocomp_gpu_status(model->gpu.EndCommandBuffer(commands));
  if (!status) status = cocomp_gpu_submit(model, commands);
  model->gpu.FreeCommandBuffers(model->gpu.device, model->command_pool, 1, &commands);
  return status;
}

/* How stages touch memory, of what barriers are about. */
static uint32_t accesses(uint32_t stages, uint32_t shader, uint32_t transfer, uint32_t host) {
  return (stages & VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT ? shader : 0) |
         (stages & VK_PIPELINE_STAGE_TRANSFER_BIT ? transfer : 0) | (stages & VK_PIPELINE_STAGE_HOST_BIT ? host : 0);
}

void cocomp_gpu_barrier(cocomp_model *model, VkCommandBuffer commands, uint32_t after, uint32_t before) {
  const VkMemoryBarrier all = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask = accesses(after, VK_ACCESS_SHADER_WRITE_BIT, VK_ACCESS_TRANSFER_WRITE_BIT, 0),
      .dstAccessMask = accesses(before, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                                VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT)};
  model->gpu.CmdPipelineBarrier(commands, after, before, 0, 1, &all, 0, NULL, 0, NULL);
}

void cocomp_gpu_record(cocomp_model *model, VkCommandBuffer commands, int64_t first, int64_t count, int timed) {
  cocomp_gpu *gpu = &model->gpu;
  const uint32_t compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  if (timed) gpu->CmdResetQueryPool(commands, model->queries, 0, (uint32_t)plan->dispatch_count + 1);
  if (timed) gpu->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, model->queries, 0);
  for (int64_t i = first; i < first + count; i++) {
    const cocomp_gpu_dispatch *dispatch = &plan->dispatches[i];
    if (i > first) cocomp_gpu_barrier(model, commands, compute, compute);
    cocomp_gpu_begin_images(model, commands, i);
    gpu->CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, model->pipelines[dispatch->shader]);
    gpu->CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, model->pipeline_layouts[dispatch->shader], 0, 1,
                               &model->sets[i], 0, NULL);
    gpu->CmdDispatch(commands, dispatch->grid[0], dispatch->grid[1], dispatch->grid[2]);
    if (timed)
      gpu->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, model->queries, (uint32_t)(i - first) + 1);
  }
  /* For the host, for copies of the arena, and for the next run. */
  cocomp_gpu_barrier(model, commands, compute, compute | VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT);
}

int cocomp_gpu_stage(cocomp_model *model) {
  if (model->staging.buffer) return COCOMP_OK;
  return cocomp_gpu_allocate(&model->gpu, COCOMP_GPU_STAGING_BYTES, COCOMP_GPU_HOST, &model->staging);
}

int cocomp_gpu_copy(cocomp_model *model, cocomp_gpu_buffer *buffer, int64_t first, char *host, int64_t bytes, int upload) {
  int status = cocomp_gpu_stage(model);
  for (int64_t start = 0; !status && start < bytes; start += COCOMP_GPU_STAGING_BYTES) {
    const int64_t size = bytes - start < COCOMP_GPU_STAGING_BYTES ? bytes - start : COCOMP_GPU_STAGING_BYTES;
    const VkBufferCopy region = {.srcOffset = upload ? 0 : (VkDeviceSize)(first + start),
                                 .dstOffset = upload ? (VkDeviceSize)(first + start) : 0,
                                 .size = (VkDeviceSize)size};
    if (upload) memcpy(model->staging.mapped, host + start, (size_t)size);
    VkCommandBuffer commands;
    status = cocomp_gpu_begin(model, &commands);
    if (status) break;
    model->gpu.CmdCopyBuffer(commands, upload ? model->staging.buffer : buffer->buffer,
                             upload ? buffer->buffer : model->staging.buffer, 1, &region);
    cocomp_gpu_barrier(model, commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT);
    status = cocomp_gpu_finish(model, commands);
    if (!status && !upload) memcpy(host + start, model->staging.mapped, (size_t)size);
  }
  return status;
}
