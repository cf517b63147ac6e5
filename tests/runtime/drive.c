/* Drives a model through its C interface: the ways it is meant to be used, and the wrong arguments that it must refuse.
 * Inputs and outputs end where an unmapped page begins, so that a kernel that reads or writes past them is caught. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cocomp.h"
#include "sizes.h" /* input_bytes, output_bytes, dispatches: written by the test */

enum { INPUTS = sizeof input_bytes / sizeof *input_bytes, OUTPUTS = sizeof output_bytes / sizeof *output_bytes };

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "failed: %s\n", what);
  exit(1);
}

static void *guarded(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
  char *start = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(start != MAP_FAILED, "mmap");
  require(!mprotect(start + size, page, PROT_NONE), "mprotect");
  return start + size - bytes;
}

static const void *inputs[INPUTS];
static void *outputs[OUTPUTS];

static void read_inputs(char **names) {
  for (int i = 0; i < INPUTS; i++) {
    void *data = guarded(input_bytes[i]);
    FILE *file = fopen(names[i], "rb");
    require(file && fread(data, 1, input_bytes[i], file) == input_bytes[i], names[i]);
    fclose(file);
    inputs[i] = data;
  }
}

static void refuses_wrong_arguments(void) {
  cocomp_model *model = NULL;
  require(cocomp_create(1, NULL) == COCOMP_INVALID_ARGUMENT, "create without a place");
  require(cocomp_create(-1, &model) == COCOMP_INVALID_ARGUMENT, "create on -1 threads");
  require(cocomp_create(100000, &model) == COCOMP_INVALID_ARGUMENT, "create on 100000 threads");
  require(!cocomp_create(1, &model), "create");
  int64_t times[dispatches];
  void *nothing[OUTPUTS] = {0};
  require(cocomp_run(NULL, inputs, outputs) == COCOMP_INVALID_ARGUMENT, "run without a model");
  require(cocomp_run(model, NULL, outputs) == COCOMP_INVALID_ARGUMENT, "run without inputs");
  require(cocomp_run(model, inputs, NULL) == COCOMP_INVALID_ARGUMENT, "run without outputs");
  require(cocomp_run(model, inputs, nothing) == COCOMP_INVALID_ARGUMENT, "run with null outputs");
  require(cocomp_run_some(model, inputs, outputs, -1) == COCOMP_INVALID_ARGUMENT, "run -1 kernels");
  require(cocomp_run_some(model, inputs, outputs, dispatches + 1) == COCOMP_INVALID_ARGUMENT, "run too many kernels");
  require(cocomp_profile(NULL, times, 1) == COCOMP_INVALID_ARGUMENT, "profile without a model");
  require(cocomp_profile(model, NULL, 1) == COCOMP_INVALID_ARGUMENT, "profile without a place");
  require(cocomp_profile(model, times, -1) == COCOMP_INVALID_ARGUMENT, "profile of -1 kernels");
  require(cocomp_set_profiling(NULL, 1) == COCOMP_INVALID_ARGUMENT, "set_profiling without a model");
  require(!cocomp_arena(NULL), "arena without a model");
  require(!cocomp_device(NULL), "a device without a model");
  require(!*cocomp_failed_at(), "a layer where nothing failed");
  cocomp_destroy(model);
  cocomp_destroy(NULL);
  for (int status = -1; status < 25; status++) require(strlen(cocomp_message(status)) > 0, "message");
}

static void runs(int threads) {
  cocomp_model *model;
  require(!cocomp_create(threads, &model), "create");
  int64_t times[dispatches + 5];
  for (int run = 0; run < 5; run++) require(!cocomp_run(model, inputs, outputs), "run");
  for (int64_t some = 0; some <= dispatches; some++) require(!cocomp_run_some(model, inputs, outputs, some), "run_some");
  require(!cocomp_set_profiling(model, 1), "set_profiling");
  require(!cocomp_run(model, inputs, outputs), "run with profiling");
  require(!cocomp_profile(model, times, dispatches + 5), "profile with room to spare");
  for (int i = 0; i < dispatches; i++) require(times[i] >= 0, "a time");
  usleep(30000); /* the workers fall asleep */
  require(!cocomp_run(model, inputs, outputs), "run after a pause");
  cocomp_destroy(model);
}

struct race {
  cocomp_model *model;
  int done, busy;
};

static void *race(void *argument) {
  struct race *own = argument;
  void *mine[OUTPUTS];
  for (int i = 0; i < OUTPUTS; i++) mine[i] = malloc(output_bytes[i]);
  for (int run = 0; run < 50; run++) {
    const int status = cocomp_run(own->model, inputs, mine);
    own->done += status == COCOMP_OK;
    own->busy += status == COCOMP_BUSY;
  }
  for (int i = 0; i < OUTPUTS; i++) free(mine[i]);
  return NULL;
}

static void refuses_to_run_twice_at_once(void) {
  struct race races[3] = {{0}};
  pthread_t threads[3];
  cocomp_model *model;
  require(!cocomp_create(2, &model), "create");
  for (int i = 0; i < 3; i++) {
    races[i].model = model;
    require(!pthread_create(&threads[i], NULL, race, &races[i]), "pthread_create");
  }
  int done = 0;
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
    require(races[i].done + races[i].busy == 50, "every run succeeds or is refused as busy");
    done += races[i].done;
  }
  require(done > 0, "somebody ran");
  cocomp_destroy(model);
}

int main(int count, char **arguments) {
  require(count == 1 + INPUTS + OUTPUTS, "arguments");
  require(strstr(cocomp_manifest(), "\"dispatches\"") != NULL, "manifest");
  read_inputs(arguments + 1);
  for (int i = 0; i < OUTPUTS; i++) outputs[i] = guarded(output_bytes[i]);
  refuses_wrong_arguments();
  for (int threads = 0; threads <= 4; threads++) runs(threads);
  refuses_to_run_twice_at_once();
  for (int i = 0; i < OUTPUTS; i++) {
    FILE *file = fopen(arguments[1 + INPUTS + i], "wb");
    require(file && fwrite(outputs[i], 1, output_bytes[i], file) == output_bytes[i] && !fclose(file), "write");
  }
  return 0;
}
