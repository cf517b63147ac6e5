/* What a status means. */
#include "cocomp.h"

__attribute__((visibility("default"))) const char *cocomp_message(int status) {
  switch (status) {
    case COCOMP_OK: return "no error";
    case COCOMP_INVALID_ARGUMENT: return "a null pointer or a number out of range was passed";
    case COCOMP_OUT_OF_MEMORY: return "out of memory";
    case COCOMP_NO_THREADS: return "the system refused to start a thread";
    case COCOMP_WRONG_CPU: return "this processor lacks instructions that the model was compiled for";
    case COCOMP_BUSY: return "the model is running in another thread";
    case COCOMP_NO_VULKAN:
      return "no Vulkan loader (libvulkan.so.1) was found; install one, or name it in COCOMP_VULKAN_LOADER";
    case COCOMP_NO_DEVICE: return "no device with Vulkan 1.1 and compute queues was found";
    case COCOMP_NO_INT8: return "no Vulkan device here computes with 8-bit integers, which the model needs";
    case COCOMP_NO_INT16: return "no Vulkan device here computes with 16-bit integers, which the model needs";
    case COCOMP_NO_INT64: return "no Vulkan device here computes with 64-bit integers, which the model needs";
    case COCOMP_NO_FLOAT16: return "no Vulkan device here computes in half precision; compile with --precision=f32";
    case COCOMP_NO_STORAGE8: return "no Vulkan device here has 8-bit storage, which booleans of the model need";
    case COCOMP_NO_STORAGE16: return "no Vulkan device here has 16-bit storage; compile with --precision=f32";
    case COCOMP_TOO_LARGE: return "a tensor is larger than the device lets a kernel address (maxStorageBufferRange, maxTexelBufferElements); compile with -mcpu=, for the family of the GPU";
    case COCOMP_OUT_OF_DEVICE_MEMORY: return "out of device memory";
    case COCOMP_DEVICE_LOST: return "the device was lost; create the model again";
    case COCOMP_DEVICE_ERROR: return "the Vulkan driver reported an error";
    case COCOMP_TOO_MANY_BINDINGS:
      return "a kernel needs more buffers at once than the device allows (maxPerStageDescriptor*); compile with --without=fusion";
    case COCOMP_NO_IMAGES:
      return "the device has no images of four elements in a texel that kernels read and write; compile with --memory=buffer";
    case COCOMP_IMAGE_TOO_LARGE:
      return "a tensor is larger than an image of the device may be (maxImageDimension2D, maxImageDimension3D); compile with --memory=buffer";
    default: return "unknown status";
  }
}
