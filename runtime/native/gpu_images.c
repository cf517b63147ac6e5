/* Tensors in images of a model on a GPU. */
#include "gpu_model.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

enum { USAGE = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_STORAGE_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT };

static const VkImageSubresourceRange WHOLE = {
    .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .levelCount = 1, .layerCount = 1};

static int32_t format_of(const cocomp_gpu_image *image) {
  return image->is_half ? VK_FORMAT_R16G16B16A16_SFLOAT : VK_FORMAT_R32G32B32A32_SFLOAT;
}

static int32_t type_of(const cocomp_gpu_image *image) { return image->depth > 1 ? VK_IMAGE_TYPE_3D : VK_IMAGE_TYPE_2D; }

/* Whether the device has such images. */
static int check(cocomp_gpu *gpu, const cocomp_gpu_image *image) {
  VkImageFormatProperties found;
  const VkResult result = gpu->GetPhysicalDeviceImageFormatProperties(gpu->physical, format_of(image), type_of(image),
                                                                      VK_IMAGE_TILING_OPTIMAL, USAGE, 0, &found);
  if (result == VK_ERROR_FORMAT_NOT_SUPPORTED) return COCOMP_NO_IMAGES;
  if (result) return cocomp_gpu_status(result);
  const int fits = image->width <= found.maxExtent.width && image->height <= found.maxExtent.height &&
                   image->depth <= found.maxExtent.depth;
  return fits ? COCOMP_OK : COCOMP_IMAGE_TOO_LARGE;
}

static int create_image(cocomp_model *model, int64_t number) {
  cocomp_gpu *gpu = &model->gpu;
  const cocomp_gpu_image *image = &plan->images[number];
  const int status = check(gpu, image);
  if (status) return cocomp_gpu_failed(image->first, status);
  const VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                  .imageType = type_of(image),
                                  .format = format_of(image),
                                  .extent = {image->width, image->height, image->depth},
                                  .mipLevels = 1,
                                  .arrayLayers = 1,
                                  .samples = VK_SAMPLE_COUNT_1_BIT,
                                  .tiling = VK_IMAGE_TILING_OPTIMAL,
                                  .usage = USAGE,
                                  .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED};
  return cocomp_gpu_made(gpu->CreateImage(gpu->device, &info, NULL, &model->images[number]), &model->images[number]);
}

/* Memory for all images of a slot. */
static int create_slot(cocomp_model *model, int64_t number) {
  cocomp_gpu *gpu = &model->gpu;
  VkMemoryRequirements all = {.memoryTypeBits = ~(uint32_t)0};
  for (int64_t i = 0; i < plan->image_count; i++) {
    if (plan->images[i].slot != number) continue;
    VkMemoryRequirements needs;
    gpu->GetImageMemoryRequirements(gpu->device, model->images[i], &needs);
    if (needs.size > all.size) all.size = needs.size;
    all.memoryTypeBits &= needs.memoryTypeBits;
  }
  int type;
  return cocomp_gpu_reserve(gpu, &all, COCOMP_GPU_LOCAL, &model->slots[number], &type);
}

static int create_view(cocomp_model *model, int64_t number) {
  cocomp_gpu *gpu = &model->gpu;
  const cocomp_gpu_image *image = &plan->images[number];
  const int status =
      cocomp_gpu_status(gpu->BindImageMemory(gpu->device, model->images[number], model->slots[image->slot], 0));
  if (status) return status;
  const VkImageViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                      .image = model->images[number],
                                      .viewType = image->depth > 1 ? VK_IMAGE_VIEW_TYPE_3D : VK_IMAGE_VIEW_TYPE_2D,
                                      .format = format_of(image),
                                      .subresourceRange = WHOLE};
  return cocomp_gpu_made(gpu->CreateImageView(gpu->device, &view, NULL, &model->image_views[number]),
                         &model->image_views[number]);
}

int cocomp_gpu_create_images(cocomp_model *model) {
  int status = COCOMP_OK;
  for (int64_t i = 0; !status && i < plan->image_count; i++) status = create_image(model, i);
  for (int64_t i = 0; !status && i < plan->slot_count; i++) status = create_slot(model, i);
  for (int64_t i = 0; !status && i < plan->image_count; i++) status = create_view(model, i);
  return status;
}

void cocomp_gpu_destroy_images(cocomp_model *model) {
  cocomp_gpu *gpu = &model->gpu;
  for (int64_t i = 0; i < plan->image_count; i++) {
    if (model->image_views[i]) gpu->DestroyImageView(gpu->device, model->image_views[i], NULL);
    if (model->images[i]) gpu->DestroyImage(gpu->device, model->images[i], NULL);
  }
  for (int64_t i = 0; i < plan->slot_count; i++)
    if (model->slots[i]) gpu->FreeMemory(gpu->device, model->slots[i], NULL);
}

/* What another image left in a slot is of no use to the next: it begins without contents. */
void cocomp_gpu_begin_images(cocomp_model *model, VkCommandBuffer commands, int64_t next) {
  const uint32_t stage = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  for (int64_t i = 0; i < plan->image_count; i++) {
    if (plan->images[i].first != next) continue;
    const VkImageMemoryBarrier begin = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
                                        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                                        .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                                        .newLayout = VK_IMAGE_LAYOUT_GENERAL,
                                        .image = model->images[i],
                                        .subresourceRange = WHOLE};
    model->gpu.CmdPipelineBarrier(commands, stage, stage, 0, 0, NULL, 0, NULL, 1, &begin);
  }
}

/* Lines of a slice of an image, from number `first` on, to the staging buffer. */
static int copy_lines(cocomp_model *model, int64_t number, uint32_t slice, uint32_t first, uint32_t count) {
  const VkBufferImageCopy region = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                    .imageOffset = {0, (int32_t)first, (int32_t)slice},
                                    .imageExtent = {plan->images[number].width, count, 1}};
  VkCommandBuffer commands;
  const int status = cocomp_gpu_begin(model, &commands);
  if (status) return status;
  model->gpu.CmdCopyImageToBuffer(commands, model->images[number], VK_IMAGE_LAYOUT_GENERAL, model->staging.buffer, 1, &region);
  cocomp_gpu_barrier(model, commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                     VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT);
  return cocomp_gpu_finish(model, commands);
}

/* A slice of an image, as many lines at once as the staging buffer holds. */
static int copy_slice(cocomp_model *model, char *host, int64_t number, uint32_t slice) {
  const cocomp_gpu_image *image = &plan->images[number];
  const uint32_t line = image->width * (image->is_half ? 8u : 16u), most = COCOMP_GPU_STAGING_BYTES / line;
  int status = COCOMP_OK;
  for (uint32_t y = 0; !status && y < image->height; y += most) {
    const uint32_t count = image->height - y < most ? image->height - y : most;
    status = copy_lines(model, number, slice, y, count);
    if (!status) memcpy(host + ((int64_t)slice * image->height + y) * line, model->staging.mapped, (size_t)count * line);
  }
  return status;
}

int cocomp_gpu_copy_images(cocomp_model *model, char *host, int64_t last) {
  int status = plan->image_count ? cocomp_gpu_stage(model) : COCOMP_OK;
  for (int64_t i = 0; !status && i < plan->image_count; i++) {
    const cocomp_gpu_image *image = &plan->images[i];
    if (image->first > last || image->last < last) continue;
    for (uint32_t z = 0; !status && z < image->depth; z++) status = copy_slice(model, host + image->offset, i, z);
  }
  return status;
}
