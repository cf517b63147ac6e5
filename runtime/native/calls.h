/* What models for processors and for GPUs do alike with what their callers pass. */
#ifndef COCOMP_CALLS_H
#define COCOMP_CALLS_H

#include <stdint.h>

static inline int cocomp_has_null(const void *const *pointers, int64_t count) {
  if (count && !pointers) return 1;
  for (int64_t i = 0; i < count; i++)
    if (!pointers[i]) return 1;
  return 0;
}

static inline void cocomp_copy_times(int64_t *to, const int64_t *from, int64_t count, int64_t most) {
  for (int64_t i = 0; i < count && i < most; i++) to[i] = from[i];
}

#endif
