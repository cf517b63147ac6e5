/* The part of Vulkan 1.1 that the runtime uses, declared here so that a model can be linked without an SDK. Names, numbers and
 * layouts are those of the Vulkan specification; the loader is found at run time. */
#ifndef COCOMP_VULKAN_API_H
#define COCOMP_VULKAN_API_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t VkDeviceSize;
typedef struct VkInstance_T *VkInstance;
typedef struct VkPhysicalDevice_T *VkPhysicalDevice;
typedef struct VkDevice_T *VkDevice;
typedef struct VkQueue_T *VkQueue;
typedef struct VkCommandBuffer_T *VkCommandBuffer;
typedef uint64_t VkHandle; /* every other kind of object */

typedef int32_t VkResult;
enum {
  VK_SUCCESS = 0,
  VK_NOT_READY = 1,
  VK_TIMEOUT = 2,
  VK_ERROR_OUT_OF_HOST_MEMORY = -1,
  VK_ERROR_OUT_OF_DEVICE_MEMORY = -2,
  VK_ERROR_DEVICE_LOST = -4,
  VK_ERROR_FORMAT_NOT_SUPPORTED = -11,
};

enum {
  VK_STRUCTURE_TYPE_APPLICATION_INFO = 0,
  VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO = 1,
  VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO = 2,
  VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO = 3,
  VK_STRUCTURE_TYPE_SUBMIT_INFO = 4,
  VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO = 5,
  VK_STRUCTURE_TYPE_FENCE_CREATE_INFO = 8,
  VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO = 11,
  VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO = 12,
  VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO = 13,
  VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO = 14,
  VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO = 15,
  VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO = 16,
  VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO = 17,
  VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO = 18,
  VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO = 29,
  VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO = 30,
  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO = 32,
  VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO = 33,
  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO = 34,
  VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET = 35,
  VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO = 39,
  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO = 40,
  VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO = 42,
  VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER = 45,
  VK_STRUCTURE_TYPE_MEMORY_BARRIER = 46,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2 = 1000059000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES = 1000083000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES = 1000177000,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES = 1000082000,
};

enum {
  VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU = 1,
  VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU = 2,
  VK_QUEUE_COMPUTE_BIT = 2,
  VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT = 1,
  VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT = 2,
  VK_MEMORY_PROPERTY_HOST_COHERENT_BIT = 4,
  VK_MEMORY_PROPERTY_HOST_CACHED_BIT = 8,
  VK_BUFFER_USAGE_TRANSFER_SRC_BIT = 1,
  VK_BUFFER_USAGE_TRANSFER_DST_BIT = 2,
  VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT = 4,
  VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT = 8,
  VK_BUFFER_USAGE_STORAGE_BUFFER_BIT = 32,
  VK_FORMAT_R16_SFLOAT = 76,
  VK_FORMAT_R16G16B16A16_SFLOAT = 97,
  VK_FORMAT_R32_UINT = 98,
  VK_FORMAT_R32_SFLOAT = 100,
  VK_FORMAT_R32G32B32A32_SFLOAT = 109,
  VK_IMAGE_TYPE_2D = 1,
  VK_IMAGE_TYPE_3D = 2,
  VK_IMAGE_VIEW_TYPE_2D = 1,
  VK_IMAGE_VIEW_TYPE_3D = 2,
  VK_IMAGE_TILING_OPTIMAL = 0,
  VK_IMAGE_USAGE_TRANSFER_SRC_BIT = 1,
  VK_IMAGE_USAGE_SAMPLED_BIT = 4,
  VK_IMAGE_USAGE_STORAGE_BIT = 8,
  VK_IMAGE_LAYOUT_UNDEFINED = 0,
  VK_IMAGE_LAYOUT_GENERAL = 1,
  VK_IMAGE_ASPECT_COLOR_BIT = 1,
  VK_SAMPLE_COUNT_1_BIT = 1,
  VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE = 2,
  VK_DESCRIPTOR_TYPE_STORAGE_IMAGE = 3,
  VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER = 4,
  VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER = 5,
  VK_DESCRIPTOR_TYPE_STORAGE_BUFFER = 7,
  VK_SHADER_STAGE_COMPUTE_BIT = 32,
  VK_PIPELINE_BIND_POINT_COMPUTE = 1,
  VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT = 1,
  VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT = 0x800,
  VK_PIPELINE_STAGE_TRANSFER_BIT = 0x1000,
  VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT = 0x2000,
  VK_PIPELINE_STAGE_HOST_BIT = 0x4000,
  VK_ACCESS_SHADER_READ_BIT = 0x20,
  VK_ACCESS_SHADER_WRITE_BIT = 0x40,
  VK_ACCESS_TRANSFER_READ_BIT = 0x800,
  VK_ACCESS_TRANSFER_WRITE_BIT = 0x1000,
  VK_ACCESS_HOST_READ_BIT = 0x2000,
  VK_ACCESS_HOST_WRITE_BIT = 0x4000,
  VK_QUERY_TYPE_TIMESTAMP = 2,
  VK_QUERY_RESULT_64_BIT = 1,
  VK_QUERY_RESULT_WAIT_BIT = 2,
};

typedef struct {
  int32_t sType;
  const void *pNext;
  const char *pApplicationName;
  uint32_t applicationVersion;
  const char *pEngineName;
  uint32_t engineVersion;
  uint32_t apiVersion;
} VkApplicationInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  const VkApplicationInfo *pApplicationInfo;
  uint32_t enabledLayerCount;
  const char *const *ppEnabledLayerNames;
  uint32_t enabledExtensionCount;
  const char *const *ppEnabledExtensionNames;
} VkInstanceCreateInfo;

/* Of VkPhysicalDeviceLimits only what is looked at has a name. */
typedef struct {
  uint32_t unused0[5];
  uint32_t maxTexelBufferElements;
  uint32_t maxUniformBufferRange;
  uint32_t maxStorageBufferRange;
  uint32_t unused1[3];
  VkDeviceSize unused2[2];
  uint32_t unused3[3];
  uint32_t maxPerStageDescriptorStorageBuffers;
  uint32_t maxPerStageDescriptorSampledImages;
  uint32_t maxPerStageDescriptorStorageImages;
  uint32_t unused9;
  uint32_t maxPerStageResources;
  uint32_t unused4[30];
  uint32_t maxComputeSharedMemorySize;
  uint32_t maxComputeWorkGroupCount[3];
  uint32_t maxComputeWorkGroupInvocations;
  uint32_t maxComputeWorkGroupSize[3];
  uint32_t unused5[16];
  VkDeviceSize minTexelBufferOffsetAlignment;
  VkDeviceSize minUniformBufferOffsetAlignment;
  VkDeviceSize minStorageBufferOffsetAlignment;
  uint32_t unused6[22];
  float timestampPeriod; /* nanoseconds */
  uint32_t unused7[13];
  VkDeviceSize unused8[3];
} VkPhysicalDeviceLimits;

typedef struct {
  uint32_t apiVersion;
  uint32_t driverVersion;
  uint32_t vendorID;
  uint32_t deviceID;
  int32_t deviceType;
  char deviceName[256];
  uint8_t pipelineCacheUUID[16];
  VkPhysicalDeviceLimits limits;
  uint32_t sparseProperties[5];
} VkPhysicalDeviceProperties;

typedef struct {
  uint32_t unused0[40];
  uint32_t shaderInt64;
  uint32_t shaderInt16;
  uint32_t unused1[13];
} VkPhysicalDeviceFeatures;

typedef struct {
  int32_t sType;
  void *pNext;
  VkPhysicalDeviceFeatures features;
} VkPhysicalDeviceFeatures2;

typedef struct {
  int32_t sType;
  void *pNext;
  uint32_t storageBuffer16BitAccess;
  uint32_t uniformAndStorageBuffer16BitAccess;
  uint32_t storagePushConstant16;
  uint32_t storageInputOutput16;
} VkPhysicalDevice16BitStorageFeatures;

typedef struct {
  int32_t sType;
  void *pNext;
  uint32_t storageBuffer8BitAccess;
  uint32_t uniformAndStorageBuffer8BitAccess;
  uint32_t storagePushConstant8;
} VkPhysicalDevice8BitStorageFeatures;

typedef struct {
  int32_t sType;
  void *pNext;
  uint32_t shaderFloat16;
  uint32_t shaderInt8;
} VkPhysicalDeviceShaderFloat16Int8Features;

typedef struct {
  uint32_t queueFlags;
  uint32_t queueCount;
  uint32_t timestampValidBits;
  uint32_t minImageTransferGranularity[3];
} VkQueueFamilyProperties;

typedef struct {
  char extensionName[256];
  uint32_t specVersion;
} VkExtensionProperties;

typedef struct {
  uint32_t propertyFlags;
  uint32_t heapIndex;
} VkMemoryType;

typedef struct {
  VkDeviceSize size;
  uint32_t flags;
} VkMemoryHeap;

typedef struct {
  uint32_t memoryTypeCount;
  VkMemoryType memoryTypes[32];
  uint32_t memoryHeapCount;
  VkMemoryHeap memoryHeaps[16];
} VkPhysicalDeviceMemoryProperties;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  uint32_t queueFamilyIndex;
  uint32_t queueCount;
  const float *pQueuePriorities;
} VkDeviceQueueCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  uint32_t queueCreateInfoCount;
  const VkDeviceQueueCreateInfo *pQueueCreateInfos;
  uint32_t enabledLayerCount;
  const char *const *ppEnabledLayerNames;
  uint32_t enabledExtensionCount;
  const char *const *ppEnabledExtensionNames;
  const void *pEnabledFeatures;
} VkDeviceCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  VkDeviceSize size;
  uint32_t usage;
  int32_t sharingMode;
  uint32_t queueFamilyIndexCount;
  const uint32_t *pQueueFamilyIndices;
} VkBufferCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  VkHandle buffer;
  int32_t format;
  VkDeviceSize offset;
  VkDeviceSize range;
} VkBufferViewCreateInfo;

typedef struct {
  uint32_t width;
  uint32_t height;
  uint32_t depth;
} VkExtent3D;

typedef struct {
  VkExtent3D maxExtent;
  uint32_t maxMipLevels;
  uint32_t maxArrayLayers;
  uint32_t sampleCounts;
  VkDeviceSize maxResourceSize;
} VkImageFormatProperties;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  int32_t imageType;
  int32_t format;
  VkExtent3D extent;
  uint32_t mipLevels;
  uint32_t arrayLayers;
  int32_t samples;
  int32_t tiling;
  uint32_t usage;
  int32_t sharingMode;
  uint32_t queueFamilyIndexCount;
  const uint32_t *pQueueFamilyIndices;
  int32_t initialLayout;
} VkImageCreateInfo;

typedef struct {
  uint32_t aspectMask;
  uint32_t baseMipLevel;
  uint32_t levelCount;
  uint32_t baseArrayLayer;
  uint32_t layerCount;
} VkImageSubresourceRange;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  VkHandle image;
  int32_t viewType;
  int32_t format;
  int32_t components[4];
  VkImageSubresourceRange subresourceRange;
} VkImageViewCreateInfo;

typedef struct {
  VkDeviceSize size;
  VkDeviceSize alignment;
  uint32_t memoryTypeBits;
} VkMemoryRequirements;

typedef struct {
  int32_t sType;
  const void *pNext;
  VkDeviceSize allocationSize;
  uint32_t memoryTypeIndex;
} VkMemoryAllocateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  size_t codeSize;
  const uint32_t *pCode;
} VkShaderModuleCreateInfo;

typedef struct {
  uint32_t binding;
  int32_t descriptorType;
  uint32_t descriptorCount;
  uint32_t stageFlags;
  const VkHandle *pImmutableSamplers;
} VkDescriptorSetLayoutBinding;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  uint32_t bindingCount;
  const VkDescriptorSetLayoutBinding *pBindings;
} VkDescriptorSetLayoutCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  uint32_t setLayoutCount;
  const VkHandle *pSetLayouts;
  uint32_t pushConstantRangeCount;
  const void *pPushConstantRanges;
} VkPipelineLayoutCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  int32_t stage;
  VkHandle module;
  const char *pName;
  const void *pSpecializationInfo;
} VkPipelineShaderStageCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  VkPipelineShaderStageCreateInfo stage;
  VkHandle layout;
  VkHandle basePipelineHandle;
  int32_t basePipelineIndex;
} VkComputePipelineCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  size_t initialDataSize;
  const void *pInitialData;
} VkPipelineCacheCreateInfo;

typedef struct {
  int32_t type;
  uint32_t descriptorCount;
} VkDescriptorPoolSize;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  uint32_t maxSets;
  uint32_t poolSizeCount;
  const VkDescriptorPoolSize *pPoolSizes;
} VkDescriptorPoolCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  VkHandle descriptorPool;
  uint32_t descriptorSetCount;
  const VkHandle *pSetLayouts;
} VkDescriptorSetAllocateInfo;

typedef struct {
  VkHandle buffer;
  VkDeviceSize offset;
  VkDeviceSize range;
} VkDescriptorBufferInfo;

typedef struct {
  VkHandle sampler;
  VkHandle imageView;
  int32_t imageLayout;
} VkDescriptorImageInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  VkHandle dstSet;
  uint32_t dstBinding;
  uint32_t dstArrayElement;
  uint32_t descriptorCount;
  int32_t descriptorType;
  const VkDescriptorImageInfo *pImageInfo;
  const VkDescriptorBufferInfo *pBufferInfo;
  const VkHandle *pTexelBufferView;
} VkWriteDescriptorSet;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  uint32_t queueFamilyIndex;
} VkCommandPoolCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  VkHandle commandPool;
  int32_t level;
  uint32_t commandBufferCount;
} VkCommandBufferAllocateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  const void *pInheritanceInfo;
} VkCommandBufferBeginInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t srcAccessMask;
  uint32_t dstAccessMask;
} VkMemoryBarrier;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t srcAccessMask;
  uint32_t dstAccessMask;
  int32_t oldLayout;
  int32_t newLayout;
  uint32_t srcQueueFamilyIndex;
  uint32_t dstQueueFamilyIndex;
  VkHandle image;
  VkImageSubresourceRange subresourceRange;
} VkImageMemoryBarrier;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t waitSemaphoreCount;
  const VkHandle *pWaitSemaphores;
  const uint32_t *pWaitDstStageMask;
  uint32_t commandBufferCount;
  const VkCommandBuffer *pCommandBuffers;
  uint32_t signalSemaphoreCount;
  const VkHandle *pSignalSemaphores;
} VkSubmitInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
} VkFenceCreateInfo;

typedef struct {
  int32_t sType;
  const void *pNext;
  uint32_t flags;
  int32_t queryType;
  uint32_t queryCount;
  uint32_t pipelineStatistics;
} VkQueryPoolCreateInfo;

typedef struct {
  VkDeviceSize srcOffset;
  VkDeviceSize dstOffset;
  VkDeviceSize size;
} VkBufferCopy;

typedef struct {
  VkDeviceSize bufferOffset;
  uint32_t bufferRowLength;
  uint32_t bufferImageHeight;
  uint32_t imageSubresource[4]; /* aspects, level, first layer, layers */
  int32_t imageOffset[3];
  VkExtent3D imageExtent;
} VkBufferImageCopy;

typedef void (*VkFunction)(void);

/* Functions by their level: of the loader, of an instance, of a device. X(result, name, parameters) */
#define COCOMP_GLOBAL_FUNCTIONS(X) X(VkResult, CreateInstance, (const VkInstanceCreateInfo *, const void *, VkInstance *))

#define COCOMP_INSTANCE_FUNCTIONS(X)                                                                                   \
  X(void, DestroyInstance, (VkInstance, const void *))                                                                 \
  X(VkResult, EnumeratePhysicalDevices, (VkInstance, uint32_t *, VkPhysicalDevice *))                                  \
  X(void, GetPhysicalDeviceProperties, (VkPhysicalDevice, VkPhysicalDeviceProperties *))                               \
  X(void, GetPhysicalDeviceFeatures2, (VkPhysicalDevice, VkPhysicalDeviceFeatures2 *))                                 \
  X(VkResult, GetPhysicalDeviceImageFormatProperties,                                                                  \
    (VkPhysicalDevice, int32_t, int32_t, int32_t, uint32_t, uint32_t, VkImageFormatProperties *))                      \
  X(void, GetPhysicalDeviceMemoryProperties, (VkPhysicalDevice, VkPhysicalDeviceMemoryProperties *))                   \
  X(void, GetPhysicalDeviceQueueFamilyProperties, (VkPhysicalDevice, uint32_t *, VkQueueFamilyProperties *))           \
  X(VkResult, EnumerateDeviceExtensionProperties,                                                                      \
    (VkPhysicalDevice, const char *, uint32_t *, VkExtensionProperties *))                                             \
  X(VkResult, CreateDevice, (VkPhysicalDevice, const VkDeviceCreateInfo *, const void *, VkDevice *))                  \
  X(VkFunction, GetDeviceProcAddr, (VkDevice, const char *))

#define COCOMP_DEVICE_FUNCTIONS(X)                                                                                     \
  X(void, DestroyDevice, (VkDevice, const void *))                                                                     \
  X(void, GetDeviceQueue, (VkDevice, uint32_t, uint32_t, VkQueue *))                                                   \
  X(VkResult, DeviceWaitIdle, (VkDevice))                                                                              \
  X(VkResult, CreateBuffer, (VkDevice, const VkBufferCreateInfo *, const void *, VkHandle *))                          \
  X(void, DestroyBuffer, (VkDevice, VkHandle, const void *))                                                           \
  X(VkResult, CreateBufferView, (VkDevice, const VkBufferViewCreateInfo *, const void *, VkHandle *))                  \
  X(void, DestroyBufferView, (VkDevice, VkHandle, const void *))                                                       \
  X(VkResult, CreateImage, (VkDevice, const VkImageCreateInfo *, const void *, VkHandle *))                            \
  X(void, DestroyImage, (VkDevice, VkHandle, const void *))                                                            \
  X(VkResult, CreateImageView, (VkDevice, const VkImageViewCreateInfo *, const void *, VkHandle *))                    \
  X(void, DestroyImageView, (VkDevice, VkHandle, const void *))                                                        \
  X(void, GetImageMemoryRequirements, (VkDevice, VkHandle, VkMemoryRequirements *))                                    \
  X(VkResult, BindImageMemory, (VkDevice, VkHandle, VkHandle, VkDeviceSize))                                           \
  X(void, GetBufferMemoryRequirements, (VkDevice, VkHandle, VkMemoryRequirements *))                                   \
  X(VkResult, AllocateMemory, (VkDevice, const VkMemoryAllocateInfo *, const void *, VkHandle *))                      \
  X(void, FreeMemory, (VkDevice, VkHandle, const void *))                                                              \
  X(VkResult, BindBufferMemory, (VkDevice, VkHandle, VkHandle, VkDeviceSize))                                          \
  X(VkResult, MapMemory, (VkDevice, VkHandle, VkDeviceSize, VkDeviceSize, uint32_t, void **))                          \
  X(VkResult, CreateShaderModule, (VkDevice, const VkShaderModuleCreateInfo *, const void *, VkHandle *))              \
  X(void, DestroyShaderModule, (VkDevice, VkHandle, const void *))                                                     \
  X(VkResult, CreateDescriptorSetLayout, (VkDevice, const VkDescriptorSetLayoutCreateInfo *, const void *, VkHandle *)) \
  X(void, DestroyDescriptorSetLayout, (VkDevice, VkHandle, const void *))                                              \
  X(VkResult, CreatePipelineLayout, (VkDevice, const VkPipelineLayoutCreateInfo *, const void *, VkHandle *))          \
  X(void, DestroyPipelineLayout, (VkDevice, VkHandle, const void *))                                                   \
  X(VkResult, CreatePipelineCache, (VkDevice, const VkPipelineCacheCreateInfo *, const void *, VkHandle *))            \
  X(VkResult, GetPipelineCacheData, (VkDevice, VkHandle, size_t *, void *))                                            \
  X(void, DestroyPipelineCache, (VkDevice, VkHandle, const void *))                                                    \
  X(VkResult, CreateComputePipelines,                                                                                  \
    (VkDevice, VkHandle, uint32_t, const VkComputePipelineCreateInfo *, const void *, VkHandle *))                     \
  X(void, DestroyPipeline, (VkDevice, VkHandle, const void *))                                                         \
  X(VkResult, CreateDescriptorPool, (VkDevice, const VkDescriptorPoolCreateInfo *, const void *, VkHandle *))          \
  X(void, DestroyDescriptorPool, (VkDevice, VkHandle, const void *))                                                   \
  X(VkResult, AllocateDescriptorSets, (VkDevice, const VkDescriptorSetAllocateInfo *, VkHandle *))                     \
  X(void, UpdateDescriptorSets, (VkDevice, uint32_t, const VkWriteDescriptorSet *, uint32_t, const void *))            \
  X(VkResult, CreateCommandPool, (VkDevice, const VkCommandPoolCreateInfo *, const void *, VkHandle *))                \
  X(void, DestroyCommandPool, (VkDevice, VkHandle, const void *))                                                      \
  X(VkResult, AllocateCommandBuffers, (VkDevice, const VkCommandBufferAllocateInfo *, VkCommandBuffer *))              \
  X(void, FreeCommandBuffers, (VkDevice, VkHandle, uint32_t, const VkCommandBuffer *))                                 \
  X(VkResult, BeginCommandBuffer, (VkCommandBuffer, const VkCommandBufferBeginInfo *))                                 \
  X(VkResult, EndCommandBuffer, (VkCommandBuffer))                                                                     \
  X(void, CmdBindPipeline, (VkCommandBuffer, int32_t, VkHandle))                                                       \
  X(void, CmdBindDescriptorSets,                                                                                       \
    (VkCommandBuffer, int32_t, VkHandle, uint32_t, uint32_t, const VkHandle *, uint32_t, const uint32_t *))            \
  X(void, CmdDispatch, (VkCommandBuffer, uint32_t, uint32_t, uint32_t))                                                \
  X(void, CmdCopyBuffer, (VkCommandBuffer, VkHandle, VkHandle, uint32_t, const VkBufferCopy *))                        \
  X(void, CmdCopyImageToBuffer, (VkCommandBuffer, VkHandle, int32_t, VkHandle, uint32_t, const VkBufferImageCopy *))   \
  X(void, CmdPipelineBarrier,                                                                                          \
    (VkCommandBuffer, uint32_t, uint32_t, uint32_t, uint32_t, const VkMemoryBarrier *, uint32_t, const void *,         \
     uint32_t, const VkImageMemoryBarrier *))                                                                          \
  X(VkResult, CreateQueryPool, (VkDevice, const VkQueryPoolCreateInfo *, const void *, VkHandle *))                    \
  X(void, DestroyQueryPool, (VkDevice, VkHandle, const void *))                                                        \
  X(void, CmdResetQueryPool, (VkCommandBuffer, VkHandle, uint32_t, uint32_t))                                          \
  X(void, CmdWriteTimestamp, (VkCommandBuffer, int32_t, VkHandle, uint32_t))                                           \
  X(VkResult, GetQueryPoolResults,                                                                                     \
    (VkDevice, VkHandle, uint32_t, uint32_t, size_t, void *, VkDeviceSize, uint32_t))                                  \
  X(VkResult, CreateFence, (VkDevice, const VkFenceCreateInfo *, const void *, VkHandle *))                            \
  X(void, DestroyFence, (VkDevice, VkHandle, const void *))                                                            \
  X(VkResult, ResetFences, (VkDevice, uint32_t, const VkHandle *))                                                     \
  X(VkResult, WaitForFences, (VkDevice, uint32_t, const VkHandle *, uint32_t, uint64_t))                               \
  X(VkResult, QueueSubmit, (VkQueue, uint32_t, const VkSubmitInfo *, VkHandle))

#endif
