/* Kernels of a processor, as the compiler makes them and the runtime calls them. */
#ifndef COCOMP_KERNEL_H
#define COCOMP_KERNEL_H

#include <stdint.h>

/* Runs tasks first .. last - 1 of a kernel, or units of a chain of kernels; `scratch` is the calling thread's own memory. */
typedef void (*cocomp_kernel)(char *const *arguments, int64_t first, int64_t last, char *scratch);

enum { COCOMP_MAX_ARGUMENTS = 64 };

#endif
