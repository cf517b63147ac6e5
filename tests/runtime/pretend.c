/* A Vulkan loader that hands everything on to the real one and pretends what the environment says:
 *
 *   PRETEND_FAIL=12         the 12th call of a function that can fail, does; its handle is rubbish, as drivers may leave it
 *   PRETEND_FAIL_NAME=MapMemory[:2]  so does every call of this function, from the second on
 *   PRETEND_RESULT=-4       with this result, -1 when not set
 *   PRETEND_MISSING=X       there is no function vkX
 *   PRETEND_WITHOUT=int64,float16,..,devices,compute,extensions,clock,1.1   what devices lack
 *   PRETEND_LIMIT=maxStorageBufferRange:16   a limit of devices
 *   PRETEND_CACHE=1000      pipeline caches hold so many bytes beyond their header; those that get data say how many, on stderr
 *   PRETEND_SPLIT=1         the memory of devices is not seen by the host
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan_api.h"

#define EXPORT __attribute__((visibility("default")))
#define RUBBISH 0xdeadbeefdeadbeefu

/* Every argument of the functions that are used is a word or less: one type stands for all of them, with arguments to spare. */
typedef uint64_t word;
typedef word (*any)(word, word, word, word, word, word, word, word, word, word);
typedef VkFunction (*get_function)(word, const char *);

static get_function real_get, real_get_of_device;
static int calls, alive, is_split;
static const char *failed;

EXPORT int pretend_alive(void) { return alive; }
EXPORT const char *pretend_failed(void) { return failed ? failed : ""; }
EXPORT void pretend_again(void) { calls = 0, failed = NULL; }

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

static int is_without(const char *what) {
  const size_t length = strlen(what);
  for (const char *at = setting("PRETEND_WITHOUT"); (at = strstr(at, what)); at += length)
    if (at[length] == 0 || at[length] == ',') return 1;
  return 0;
}

static int begins(const char *name, const char *with) { return !strncmp(name, with, strlen(with)); }

static int is_its_turn(const char *name) {
  static int of_name;
  if (!calls++) of_name = 0;
  if (calls == atoi(setting("PRETEND_FAIL"))) return 1;
  const char *wanted = setting("PRETEND_FAIL_NAME"), *colon = strchr(wanted, ':');
  const size_t length = colon ? (size_t)(colon - wanted) : strlen(wanted);
  if (strlen(name) != length || strncmp(name, wanted, length)) return 0;
  return ++of_name >= (colon ? atoi(colon + 1) : 1);
}

/* Where a function leaves the handle that it makes. */
static word *made(const char *name, word *a) {
  if (!strcmp(name, "CreateInstance")) return (word *)a[2];
  if (!strcmp(name, "CreateComputePipelines") || !strcmp(name, "MapMemory")) return (word *)a[5];
  return begins(name, "Create") || !strcmp(name, "AllocateMemory") ? (word *)a[3] : NULL;
}

/* What a function destroys. */
static word destroyed(const char *name, const word *a) {
  if (!strcmp(name, "DestroyInstance") || !strcmp(name, "DestroyDevice")) return a[0];
  return begins(name, "Destroy") || !strcmp(name, "FreeMemory") ? a[1] : 0;
}

static void pretend_features(VkPhysicalDeviceFeatures2 *found) {
  if (is_without("int64")) found->features.shaderInt64 = 0;
  if (is_without("int16")) found->features.shaderInt16 = 0;
  for (VkPhysicalDeviceFeatures2 *next = found->pNext; next; next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES && is_without("storage16"))
      ((VkPhysicalDevice16BitStorageFeatures *)next)->storageBuffer16BitAccess = 0;
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES && is_without("storage8"))
      ((VkPhysicalDevice8BitStorageFeatures *)next)->storageBuffer8BitAccess = 0;
    if (next->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES) continue;
    if (is_without("float16")) ((VkPhysicalDeviceShaderFloat16Int8Features *)next)->shaderFloat16 = 0;
    if (is_without("int8")) ((VkPhysicalDeviceShaderFloat16Int8Features *)next)->shaderInt8 = 0;
  }
}

static void pretend_properties(VkPhysicalDeviceProperties *found) {
  const char *limit = setting("PRETEND_LIMIT"), *colon = strchr(limit, ':');
#define LIMIT(name) \
  if (colon && begins(limit, #name ":")) found->limits.name = (uint32_t)atoi(colon + 1);
  LIMIT(maxTexelBufferElements)
  LIMIT(maxStorageBufferRange)
  LIMIT(maxPerStageDescriptorStorageBuffers)
  LIMIT(maxPerStageDescriptorSampledImages)
  LIMIT(maxPerStageDescriptorStorageImages)
  LIMIT(maxPerStageResources)
  if (is_without("1.1")) found->apiVersion = 1 << 22;
}

static void pretend_images(int is_deep, VkImageFormatProperties *found) {
  const char *limit = setting("PRETEND_LIMIT");
  if (!begins(limit, is_deep ? "maxImageDimension3D:" : "maxImageDimension2D:")) return;
  const uint32_t most = (uint32_t)atoi(strchr(limit, ':') + 1);
  found->maxExtent = (VkExtent3D){most, most, is_deep ? most : 1};
}

static void pretend_families(uint32_t count, VkQueueFamilyProperties *found) {
  for (uint32_t i = 0; i < count; i++) {
    if (is_without("compute")) found[i].queueFlags &= ~(uint32_t)VK_QUEUE_COMPUTE_BIT;
    if (is_without("clock")) found[i].timestampValidBits = 0;
  }
}

/* Two types that are the same memory in truth; the host sees the second. */
static void pretend_memory(VkPhysicalDeviceMemoryProperties *found) {
  const uint32_t host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  found->memoryTypeCount = 2;
  found->memoryTypes[1] = (VkMemoryType){host, found->memoryTypes[0].heapIndex};
  found->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
}

/* Pipeline caches are the driver's header and a pattern. */
static void pretend_cache(size_t *bytes, unsigned char *data) {
  const size_t header = 32, more = (size_t)atoi(setting("PRETEND_CACHE"));
  for (size_t i = header; data && i < header + more; i++) data[i] = (unsigned char)i;
  *bytes = header + more;
}

static void pretend_after(const char *name, const word *a) {
  if (!strcmp(name, "GetPhysicalDeviceFeatures2")) pretend_features((void *)a[1]);
  if (!strcmp(name, "GetPhysicalDeviceProperties")) pretend_properties((void *)a[1]);
  if (!strcmp(name, "GetPhysicalDeviceImageFormatProperties")) pretend_images(a[2] == VK_IMAGE_TYPE_3D, (void *)a[6]);
  if (!strcmp(name, "GetPhysicalDeviceQueueFamilyProperties")) pretend_families(*(uint32_t *)a[1], (void *)a[2]);
  if (!strcmp(name, "GetPhysicalDeviceMemoryProperties") && is_split) pretend_memory((void *)a[1]);
  if ((!strcmp(name, "GetBufferMemoryRequirements") || !strcmp(name, "GetImageMemoryRequirements")) && is_split) ((VkMemoryRequirements *)a[2])->memoryTypeBits = 3;
  if (!strcmp(name, "GetPipelineCacheData") && *setting("PRETEND_CACHE")) pretend_cache((void *)a[2], (void *)a[3]);
  if (!strcmp(name, "EnumeratePhysicalDevices") && is_without("devices")) *(uint32_t *)a[1] = 0;
  if (!strcmp(name, "EnumerateDeviceExtensionProperties") && is_without("extensions")) *(uint32_t *)a[2] = 0;
}

static word called(const char *name, int can_fail, any real, word *a) {
  if (!strcmp(name, "CreateInstance")) is_split = *setting("PRETEND_SPLIT") == '1';
  word *handle = made(name, a);
  if (can_fail && is_its_turn(name)) {
    failed = name;
    if (handle) *handle = RUBBISH;
    return (word)atoi(*setting("PRETEND_RESULT") ? setting("PRETEND_RESULT") : "-1");
  }
  const word gone = destroyed(name, a);
  if (gone == RUBBISH) {
    fprintf(stderr, "%s of rubbish\n", name);
    abort();
  }
  VkMemoryAllocateInfo info;
  if (!strcmp(name, "AllocateMemory") && is_split) {
    info = *(const VkMemoryAllocateInfo *)a[1];
    info.memoryTypeIndex = 0;
    a[1] = (word)&info;
  }
  VkPipelineCacheCreateInfo empty;
  if (!strcmp(name, "CreatePipelineCache") && *setting("PRETEND_CACHE")) {
    empty = *(const VkPipelineCacheCreateInfo *)a[1];
    fprintf(stderr, "cache of %d bytes\n", (int)empty.initialDataSize);
    empty.initialDataSize = 0;
    a[1] = (word)&empty;
  }
  const word result = real(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
  alive += handle && strcmp(name, "MapMemory") && !(int32_t)result;
  alive -= gone != 0;
  pretend_after(name, a);
  return result;
}

static VkFunction get_of_device(word device, const char *name);

#define DEFINE(result, name, parameters)                                                                      \
  static any real_##name;                                                                                     \
  static word own_##name(word a, word b, word c, word d, word e, word f, word g, word h, word i, word j) {    \
    word all[] = {a, b, c, d, e, f, g, h, i, j};                                                              \
    return called(#name, #result[2] == 'R', real_##name, all);                                                \
  }
COCOMP_GLOBAL_FUNCTIONS(DEFINE)
COCOMP_INSTANCE_FUNCTIONS(DEFINE)
COCOMP_DEVICE_FUNCTIONS(DEFINE)

#define LOOK_UP(result, name, parameters) \
  if (!strcmp(wanted, "vk" #name)) return real_##name = (any)real, (VkFunction)own_##name;

EXPORT VkFunction vkGetInstanceProcAddr(word instance, const char *wanted) {
  if (!real_get) real_get = (get_function)dlsym(dlopen("libvulkan.so.1", RTLD_NOW), "vkGetInstanceProcAddr");
  if (!strcmp(wanted + 2, setting("PRETEND_MISSING"))) return NULL;
  const VkFunction real = real_get(instance, wanted);
  if (!strcmp(wanted, "vkGetDeviceProcAddr")) return real_get_of_device = (get_function)real, (VkFunction)get_of_device;
  COCOMP_GLOBAL_FUNCTIONS(LOOK_UP)
  COCOMP_INSTANCE_FUNCTIONS(LOOK_UP)
  return real;
}

static VkFunction get_of_device(word device, const char *wanted) {
  if (!strcmp(wanted + 2, setting("PRETEND_MISSING"))) return NULL;
  const VkFunction real = real_get_of_device(device, wanted);
  COCOMP_DEVICE_FUNCTIONS(LOOK_UP)
  return real;
}
