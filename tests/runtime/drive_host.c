/* A model on a GPU whose processor has kernels too, where the system refuses threads or memory for them. */
#include <stdio.h>
#include <stdlib.h>

#include "cocomp.h"

/* Linked in place of the system's by --wrap: the call with the number `refused` fails. */
static int threads_asked, mappings_asked, mappings, refused_thread, refused_mapping;

int __real_pthread_create(void *, const void *, void *(*)(void *), void *);
int __wrap_pthread_create(void *thread, const void *attributes, void *(*body)(void *), void *argument) {
  return ++threads_asked == refused_thread ? 11 : __real_pthread_create(thread, attributes, body, argument);
}

void *__real_mmap(void *, size_t, int, int, int, long);
void *__wrap_mmap(void *start, size_t bytes, int protection, int flags, int file, long offset) {
  if (++mappings_asked == refused_mapping) return (void *)-1;
  mappings++;
  return __real_mmap(start, bytes, protection, flags, file, offset);
}

int __real_munmap(void *, size_t);
int __wrap_munmap(void *start, size_t bytes) {
  mappings--;
  return __real_munmap(start, bytes);
}

static int create(void) {
  cocomp_model *model = (cocomp_model *)&model;
  const int status = cocomp_create(3, &model);
  cocomp_destroy(model);
  if (!status == (model == NULL) || mappings) return fprintf(stderr, "%d mappings after status %d\n", mappings, status), -1;
  return status;
}

int main(void) {
  if (create()) return printf("%s\n", cocomp_message(create())), 0;
  const int threads = threads_asked, all = mappings_asked;
  for (refused_thread = 1; refused_thread <= threads; refused_thread++) {
    threads_asked = 0;
    if (create() != COCOMP_NO_THREADS) return 1;
  }
  refused_thread = 0;
  for (refused_mapping = 1; refused_mapping <= all; refused_mapping++) {
    mappings_asked = 0;
    const int status = create();
    if (status && status != COCOMP_OUT_OF_MEMORY && status != COCOMP_NO_DEVICE) return 2;
    printf("%d\n", status);
  }
  printf("%d threads\n", threads);
  return 0;
}
