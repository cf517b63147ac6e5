/* Finding a Vulkan device, and memory of it. */
#include "vulkan.h"

#include "cocomp.h"
#include "gpu_plan.h"
#include "system.h"

void *dlopen(const char *name, int flags);
void *dlsym(void *library, const char *name);
int dlclose(void *library);
char *getenv(const char *name);
int strcmp(const char *a, const char *b);
void *memset(void *start, int value, size_t bytes);

enum { NOW = 2, MAX_DEVICES = 16, MAX_FAMILIES = 16, MAX_EXTENSIONS = 512, VERSION_1_1 = 1 << 22 | 1 << 12 };

int cocomp_gpu_status(VkResult result) {
  switch (result) {
    case VK_SUCCESS: return COCOMP_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY: return COCOMP_OUT_OF_MEMORY;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return COCOMP_OUT_OF_DEVICE_MEMORY;
    case VK_ERROR_DEVICE_LOST: return COCOMP_DEVICE_LOST;
    default: return COCOMP_DEVICE_ERROR;
  }
}

int cocomp_gpu_made(VkResult result, VkHandle *handle) {
  if (result) *handle = 0;
  return cocomp_gpu_status(result);
}

typedef VkFunction (*get_instance_function)(VkInstance, const char *);

static get_instance_function load(cocomp_gpu *gpu) {
  const char *const names[] = {getenv("COCOMP_VULKAN_LOADER"), "libvulkan.so.1", "libvulkan.so"};
  for (int i = 0; i < 3 && !gpu->loader; i++) {
    if (!names[i] || !*names[i]) continue;
    gpu->loader = dlopen(names[i], NOW);
    if (i == 0) break; /* who names a loader wants no other */
  }
  return gpu->loader ? (get_instance_function)(uintptr_t)dlsym(gpu->loader, "vkGetInstanceProcAddr") : NULL;
}

static int create_instance(cocomp_gpu *gpu) {
  const get_instance_function get = load(gpu);
  if (!get) return COCOMP_NO_VULKAN;
#define FIND(result, name, parameters)                                            \
  gpu->name = (result(*) parameters)(uintptr_t)get(gpu->instance, "vk" #name);    \
  if (!gpu->name) return COCOMP_NO_DEVICE;
  COCOMP_GLOBAL_FUNCTIONS(FIND)
  const VkApplicationInfo application = {
      .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pEngineName = "cocomp", .apiVersion = VERSION_1_1};
  const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
  const VkResult result = gpu->CreateInstance(&info, NULL, &gpu->instance);
  if (result) gpu->instance = NULL;
  if (result == VK_ERROR_OUT_OF_HOST_MEMORY) return COCOMP_OUT_OF_MEMORY;
  if (result) return COCOMP_NO_DEVICE;
  COCOMP_INSTANCE_FUNCTIONS(FIND)
#undef FIND
  return COCOMP_OK;
}

static int has_extension(const cocomp_gpu *gpu, VkPhysicalDevice device, const char *name) {
  uint32_t count = MAX_EXTENSIONS;
  VkExtensionProperties *extensions = cocomp_pages(MAX_EXTENSIONS * sizeof *extensions);
  if (!extensions) return 0;
  int found = 0;
  if (gpu->EnumerateDeviceExtensionProperties(device, NULL, &count, extensions) >= 0)
    for (uint32_t i = 0; i < count; i++) found |= !strcmp(extensions[i].extensionName, name);
  cocomp_free_pages(extensions, MAX_EXTENSIONS * sizeof *extensions);
  return found;
}

static const char *const EXTENSIONS[] = {"VK_KHR_8bit_storage", "VK_KHR_shader_float16_int8"};

/* Features by device, as structures that refer to each other. */
struct features {
  VkPhysicalDeviceFeatures2 all;
  VkPhysicalDevice16BitStorageFeatures storage16;
  VkPhysicalDevice8BitStorageFeatures storage8;
  VkPhysicalDeviceShaderFloat16Int8Features arithmetic;
  const char *extensions[2];
  uint32_t extension_count;
};

static void describe(struct features *found, int storage8, int arithmetic) {
  memset(found, 0, sizeof *found);
  found->all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  found->storage16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  found->storage8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  found->arithmetic.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
  found->all.pNext = &found->storage16;
  void **last = &found->storage16.pNext;
  if (storage8) {
    *last = &found->storage8;
    last = &found->storage8.pNext;
    found->extensions[found->extension_count++] = EXTENSIONS[0];
  }
  if (arithmetic) {
    *last = &found->arithmetic;
    found->extensions[found->extension_count++] = EXTENSIONS[1];
  }
}

/* The status that says which of the wanted features a device lacks. */
static int missing(const cocomp_gpu *gpu, VkPhysicalDevice device, uint32_t wanted) {
  struct features found;
  describe(&found, has_extension(gpu, device, EXTENSIONS[0]), has_extension(gpu, device, EXTENSIONS[1]));
  gpu->GetPhysicalDeviceFeatures2(device, &found.all);
  if (wanted & COCOMP_GPU_STORAGE16 && !found.storage16.storageBuffer16BitAccess) return COCOMP_NO_STORAGE16;
  if (wanted & COCOMP_GPU_FLOAT16 && !found.arithmetic.shaderFloat16) return COCOMP_NO_FLOAT16;
  if (wanted & COCOMP_GPU_STORAGE8 && !found.storage8.storageBuffer8BitAccess) return COCOMP_NO_STORAGE8;
  if (wanted & COCOMP_GPU_INT8 && !found.arithmetic.shaderInt8) return COCOMP_NO_INT8;
  if (wanted & COCOMP_GPU_INT16 && !found.all.features.shaderInt16) return COCOMP_NO_INT16;
  if (wanted & COCOMP_GPU_INT64 && !found.all.features.shaderInt64) return COCOMP_NO_INT64;
  return COCOMP_OK;
}

/* The first family with compute queues, or MAX_FAMILIES; and the bits of its clock. */
static uint32_t compute_family(const cocomp_gpu *gpu, VkPhysicalDevice device, uint32_t *timestamp_bits) {
  VkQueueFamilyProperties families[MAX_FAMILIES];
  uint32_t count = MAX_FAMILIES;
  gpu->GetPhysicalDeviceQueueFamilyProperties(device, &count, families);
  for (uint32_t i = 0; i < count; i++) {
    *timestamp_bits = families[i].timestampValidBits;
    if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) return i;
  }
  return MAX_FAMILIES;
}

static int preference(int32_t type) {
  return type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 3 : type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU ? 2 : 1;
}

static int choose_device(cocomp_gpu *gpu, uint32_t features) {
  VkPhysicalDevice devices[MAX_DEVICES];
  uint32_t count = MAX_DEVICES;
  const VkResult result = gpu->EnumeratePhysicalDevices(gpu->instance, &count, devices);
  if (result == VK_ERROR_OUT_OF_HOST_MEMORY) return COCOMP_OUT_OF_MEMORY;
  if (result < 0) return COCOMP_NO_DEVICE;
  int status = COCOMP_NO_DEVICE, best = 0;
  for (uint32_t i = 0; i < count; i++) {
    VkPhysicalDeviceProperties properties;
    gpu->GetPhysicalDeviceProperties(devices[i], &properties);
    uint32_t timestamp_bits = 0;
    const uint32_t family = compute_family(gpu, devices[i], &timestamp_bits);
    if (properties.apiVersion < VERSION_1_1 || family == MAX_FAMILIES) continue;
    const int lacks = missing(gpu, devices[i], features);
    if (lacks && !best) status = lacks;
    if (lacks || preference(properties.deviceType) <= best) continue;
    best = preference(properties.deviceType);
    status = COCOMP_OK;
    gpu->physical = devices[i];
    gpu->family = family;
    gpu->timestamp_bits = timestamp_bits;
    gpu->properties = properties;
  }
  if (!status) gpu->GetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
  return status;
}

static int create_device(cocomp_gpu *gpu, uint32_t wanted) {
  struct features enabled;
  describe(&enabled, !!(wanted & COCOMP_GPU_STORAGE8), !!(wanted & (COCOMP_GPU_INT8 | COCOMP_GPU_FLOAT16)));
  enabled.all.features.shaderInt64 = !!(wanted & COCOMP_GPU_INT64);
  enabled.all.features.shaderInt16 = !!(wanted & COCOMP_GPU_INT16);
  enabled.storage16.storageBuffer16BitAccess = !!(wanted & COCOMP_GPU_STORAGE16);
  enabled.storage8.storageBuffer8BitAccess = !!(wanted & COCOMP_GPU_STORAGE8);
  enabled.arithmetic.shaderFloat16 = !!(wanted & COCOMP_GPU_FLOAT16);
  enabled.arithmetic.shaderInt8 = !!(wanted & COCOMP_GPU_INT8);
  const float priority = 1.0f;
  const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                         .queueFamilyIndex = gpu->family,
                                         .queueCount = 1,
                                         .pQueuePriorities = &priority};
  const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                   .pNext = &enabled.all,
                                   .queueCreateInfoCount = 1,
                                   .pQueueCreateInfos = &queue,
                                   .enabledExtensionCount = enabled.extension_count,
                                   .ppEnabledExtensionNames = enabled.extensions};
  const VkResult result = gpu->CreateDevice(gpu->physical, &info, NULL, &gpu->device);
  if (result) gpu->device = NULL;
  if (result) return cocomp_gpu_status(result);
#define FIND(result, name, parameters)                                                             \
  gpu->name = (result(*) parameters)(uintptr_t)gpu->GetDeviceProcAddr(gpu->device, "vk" #name);    \
  if (!gpu->name) return COCOMP_DEVICE_ERROR;
  COCOMP_DEVICE_FUNCTIONS(FIND)
#undef FIND
  gpu->GetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
  return COCOMP_OK;
}

int cocomp_gpu_open(cocomp_gpu *gpu, uint32_t features) {
  int status = create_instance(gpu);
  if (!status) status = choose_device(gpu, features);
  if (!status) status = create_device(gpu, features);
  return status;
}

void cocomp_gpu_close(cocomp_gpu *gpu) {
  if (gpu->device && gpu->DestroyDevice) gpu->DestroyDevice(gpu->device, NULL);
  if (gpu->instance && gpu->DestroyInstance) gpu->DestroyInstance(gpu->instance, NULL);
  if (gpu->loader) dlclose(gpu->loader);
}

/* A memory type among `allowed` with all of `flags`, or -1. */
static int memory_type(const cocomp_gpu *gpu, uint32_t allowed, uint32_t flags) {
  for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++)
    if (allowed >> i & 1 && (gpu->memory.memoryTypes[i].propertyFlags & flags) == flags) return (int)i;
  return -1;
}

/* Memory of the device that the host sees too comes first where both share theirs: nothing has to be copied then. */
static int choose_memory(const cocomp_gpu *gpu, uint32_t allowed, enum cocomp_gpu_memory wanted) {
  const uint32_t host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const int is_discrete = gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  const uint32_t tried[2][3] = {
      {is_discrete ? VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | host,
       VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0},
      {host | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, host, host}};
  for (int i = 0; i < 3; i++) {
    const int found = memory_type(gpu, allowed, tried[wanted == COCOMP_GPU_HOST][i]);
    if (found >= 0) return found;
  }
  return -1;
}

int cocomp_gpu_reserve(cocomp_gpu *gpu, const VkMemoryRequirements *needs, enum cocomp_gpu_memory memory, VkHandle *made, int *type) {
  *type = choose_memory(gpu, needs->memoryTypeBits, memory);
  if (*type < 0) return COCOMP_OUT_OF_DEVICE_MEMORY;
  const VkMemoryAllocateInfo allocation = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .allocationSize = needs->size,
                                           .memoryTypeIndex = (uint32_t)*type};
  return cocomp_gpu_made(gpu->AllocateMemory(gpu->device, &allocation, NULL, made), made);
}

int cocomp_gpu_allocate(cocomp_gpu *gpu, int64_t bytes, enum cocomp_gpu_memory memory, cocomp_gpu_buffer *made) {
  /* Up to the next offset: where the last tensor ends in the middle of a texel, all of that is read. */
  const VkDeviceSize size = (((VkDeviceSize)bytes | 1) + COCOMP_GPU_ALIGNMENT - 1) & -(VkDeviceSize)COCOMP_GPU_ALIGNMENT;
  const VkBufferCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
      .size = size,
      .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
               VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT};
  int status = cocomp_gpu_made(gpu->CreateBuffer(gpu->device, &info, NULL, &made->buffer), &made->buffer);
  if (status) return status;
  VkMemoryRequirements needs;
  gpu->GetBufferMemoryRequirements(gpu->device, made->buffer, &needs);
  int type;
  status = cocomp_gpu_reserve(gpu, &needs, memory, &made->memory, &type);
  if (!status) status = cocomp_gpu_status(gpu->BindBufferMemory(gpu->device, made->buffer, made->memory, 0));
  if (!status && gpu->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT &&
      gpu->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
    status = cocomp_gpu_status(gpu->MapMemory(gpu->device, made->memory, 0, ~(VkDeviceSize)0, 0, (void **)&made->mapped));
  if (status) made->mapped = NULL;
  return status;
}

void cocomp_gpu_free(cocomp_gpu *gpu, cocomp_gpu_buffer *buffer) {
  if (buffer->buffer) gpu->DestroyBuffer(gpu->device, buffer->buffer, NULL);
  if (buffer->memory) gpu->FreeMemory(gpu->device, buffer->memory, NULL);
  buffer->buffer = buffer->memory = 0;
  buffer->mapped = NULL;
}
