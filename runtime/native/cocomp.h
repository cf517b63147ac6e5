/* The C interface of a compiled model. One artefact holds one model; every artefact exports these functions.
 *
 *   cocomp_model *model;
 *   int status = cocomp_create(4, &model);
 *   if (status) { fprintf(stderr, "%s\n", cocomp_message(status)); return 1; }
 *   const void *inputs[] = {image};
 *   void *outputs[] = {scores};
 *   status = cocomp_run(model, inputs, outputs);
 *   cocomp_destroy(model);
 *
 * Tensors are dense and row-major; their order, types and shapes stand in the model's own header and in
 * cocomp_manifest(). Nothing here aborts or prints: every failure is a status.
 */
#ifndef COCOMP_H
#define COCOMP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cocomp_model cocomp_model;

enum cocomp_status {
  COCOMP_OK = 0,
  COCOMP_INVALID_ARGUMENT = 1, /* a null pointer or a count out of range */
  COCOMP_OUT_OF_MEMORY = 2,
  COCOMP_NO_THREADS = 3, /* the system refused to start a thread */
  COCOMP_WRONG_CPU = 4,  /* the processor lacks instructions that the model was compiled for */
  COCOMP_BUSY = 5,       /* the model is running in another thread */
  /* Of models for GPUs: */
  COCOMP_NO_VULKAN = 6,  /* there is no Vulkan loader */
  COCOMP_NO_DEVICE = 7,  /* there is no device with Vulkan 1.1 and compute queues */
  COCOMP_NO_INT8 = 8,    /* no device has what the model needs: arithmetic on such integers, */
  COCOMP_NO_INT16 = 9,
  COCOMP_NO_INT64 = 10,
  COCOMP_NO_FLOAT16 = 11, /* half-precision arithmetic, */
  COCOMP_NO_STORAGE8 = 12, /* buffers of such elements */
  COCOMP_NO_STORAGE16 = 13,
  COCOMP_TOO_LARGE = 14, /* a tensor exceeds what the device lets a kernel address */
  COCOMP_OUT_OF_DEVICE_MEMORY = 15,
  COCOMP_DEVICE_LOST = 16, /* create the model again */
  COCOMP_DEVICE_ERROR = 17,      /* any other complaint of the driver */
  COCOMP_TOO_MANY_BINDINGS = 18, /* a kernel sees more tensors at once than the device lets it */
  COCOMP_NO_IMAGES = 19,         /* the device has no images that kernels can read and write */
  COCOMP_IMAGE_TOO_LARGE = 20,   /* a tensor is larger than an image of the device may be */
};

/* What a status means; a static string, never null. */
const char *cocomp_message(int status);

/* The layer that the last cocomp_create which failed in this process is about, as the model calls it: of a tensor or kernel that is
 * too large for the device. An empty string where it is about none; static, never null. */
const char *cocomp_failed_at(void);

/* JSON text that describes the model: inputs, outputs, target, kernels. */
const char *cocomp_manifest(void);

/* Prepare the model to run on `threads` threads (the caller's is one of them; 0 means all processors). A model for
 * a GPU takes the best device that has what it needs, and threads only for kernels that the processor runs. */
int cocomp_create(int threads, cocomp_model **model);

/* The name of the GPU that the model runs on, valid until the model is destroyed; null where it runs on the CPU. */
const char *cocomp_device(const cocomp_model *model);

/* Run once. `inputs` and `outputs` point to the tensors in the order of the manifest. */
int cocomp_run(cocomp_model *model, const void *const *inputs, void *const *outputs);

/* Run only the first `count` launches: for debugging, together with cocomp_arena. */
int cocomp_run_some(cocomp_model *model, const void *const *inputs, void *const *outputs, int64_t count);

/* Memory of intermediate tensors, valid until the model is destroyed. */
const void *cocomp_arena(const cocomp_model *model);

/* Record the time of each launch (1) or not (0, the default). */
int cocomp_set_profiling(cocomp_model *model, int enabled);

/* Nanoseconds that each launch of the manifest took in the last run. */
int cocomp_profile(const cocomp_model *model, int64_t *nanoseconds, int64_t count);

/* Stop the threads and free everything. Null is allowed. */
void cocomp_destroy(cocomp_model *model);

#ifdef __cplusplus
}
#endif
#endif
