/* Lives through the failure of every call to Vulkan: each is refused once, in creation, in runs, in profiling, in the end.
 * What is refused must be a status, the model must go on or be gone without a trace, and what it computes be right. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cocomp.h"
#include "sizes.h" /* input_bytes, output_bytes, dispatches: written by the test */

enum { INPUTS = sizeof input_bytes / sizeof *input_bytes, OUTPUTS = sizeof output_bytes / sizeof *output_bytes };

static void *inputs[INPUTS], *outputs[OUTPUTS], *expected[OUTPUTS];
static int (*alive)(void);
static const char *(*failed)(void);
static void (*again)(void);

/* Linked in place of the system's by --wrap: mappings that the runtime has. */
static int mappings;
void *__real_mmap(void *, size_t, int, int, int, long);
int __real_munmap(void *, size_t);
void *__wrap_mmap(void *start, size_t bytes, int protection, int flags, int file, long offset) {
  mappings++;
  return __real_mmap(start, bytes, protection, flags, file, offset);
}
int __wrap_munmap(void *start, size_t bytes) {
  mappings--;
  return __real_munmap(start, bytes);
}

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "failed: %s (%s refused)\n", what, failed());
  exit(1);
}

static void read_inputs(char **names) {
  for (int i = 0; i < INPUTS; i++) {
    FILE *file = fopen(names[i], "rb");
    inputs[i] = malloc(input_bytes[i]);
    require(file && fread(inputs[i], 1, input_bytes[i], file) == input_bytes[i], names[i]);
    fclose(file);
  }
}

static int run(cocomp_model *model) {
  for (int i = 0; i < OUTPUTS; i++) memset(outputs[i], 0xee, output_bytes[i]);
  return cocomp_run(model, (const void *const *)inputs, outputs);
}

static void must_be_right(void) {
  for (int i = 0; i < OUTPUTS; i++) require(!memcmp(outputs[i], expected[i], output_bytes[i]), "results");
}

/* The first status that is not 0, of everything that can be done with a model. */
static int use(cocomp_model *model) {
  int64_t times[dispatches];
  int status = run(model);
  if (!status) must_be_right();
  if (!status) status = cocomp_set_profiling(model, 1);
  if (!status) status = run(model);
  if (!status) must_be_right();
  if (!status) status = cocomp_profile(model, times, dispatches);
  if (!status) status = cocomp_set_profiling(model, 0);
  if (!status) status = cocomp_run_some(model, (const void *const *)inputs, outputs, dispatches / 2);
  if (!status) require(cocomp_arena(model) != NULL, "an arena");
  require(cocomp_device(model) && *cocomp_device(model), "the name of a device");
  return status;
}

static int live(void) {
  cocomp_model *model = (cocomp_model *)&model;
  int status = cocomp_create(1, &model);
  require(!status == (model != NULL), "a model or a status");
  if (status) return status;
  status = use(model);
  cocomp_set_profiling(model, 0);
  if (status) {
    require(!run(model), "a run after one that failed");
    must_be_right();
  }
  cocomp_destroy(model);
  return status;
}

/* Functions whose failure changes nothing. */
static int is_harmless(const char *name) {
  static const char *const names[] = {"DeviceWaitIdle", "EnumerateDeviceExtensionProperties", "CreatePipelineCache",
                                      "GetPipelineCacheData"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(name, names[i])) return 1;
  return 0;
}

int main(int count, char **arguments) {
  require(count == 2 + INPUTS, "arguments");
  void *loader = dlopen(arguments[1], RTLD_NOW);
  if (!loader) return fprintf(stderr, "%s\n", dlerror()), 1;
  setenv("COCOMP_VULKAN_LOADER", arguments[1], 1);
  alive = (int (*)(void))dlsym(loader, "pretend_alive");
  failed = (const char *(*)(void))dlsym(loader, "pretend_failed");
  again = (void (*)(void))dlsym(loader, "pretend_again");
  read_inputs(arguments + 2);
  for (int i = 0; i < OUTPUTS; i++) outputs[i] = malloc(output_bytes[i]), expected[i] = malloc(output_bytes[i]);

  const int refused = getenv("REFUSED") ? atoi(getenv("REFUSED")) : COCOMP_OUT_OF_MEMORY;
  cocomp_model *model;
  require(!cocomp_create(1, &model) && !run(model), "a first run");
  for (int i = 0; i < OUTPUTS; i++) memcpy(expected[i], outputs[i], output_bytes[i]);
  cocomp_destroy(model);
  for (int call = 1;; call++) {
    char text[20];
    snprintf(text, sizeof text, "%d", call);
    setenv("PRETEND_FAIL", text, 1);
    again();
    const int status = live();
    require(!alive(), "every object of Vulkan is destroyed");
    require(!mappings, "all memory is given back");
    if (!*failed()) return status || call < 50;
    printf("%s: %s\n", failed(), cocomp_message(status));
    const int is_first = !strcmp(failed(), "CreateInstance") || !strcmp(failed(), "EnumeratePhysicalDevices");
    require(status == refused || (is_first && status == COCOMP_NO_DEVICE) || (is_harmless(failed()) && !status), "the status");
  }
}
