/* A few threads that run the tasks of one kernel after the other. */
#ifndef COCOMP_POOL_H
#define COCOMP_POOL_H

#include <stdint.h>

typedef struct cocomp_pool cocomp_pool;

/* Tasks first .. last - 1, on thread number `thread` of the pool. */
typedef void (*cocomp_work)(const void *context, int64_t first, int64_t last, int thread);

/* A pool of `threads` threads, the caller's included; null when a thread or memory is refused (see *out_of_memory). */
cocomp_pool *cocomp_pool_create(int threads, int *out_of_memory);

/* Run tasks 0 .. tasks - 1, on all threads; returns when all are done. */
void cocomp_pool_run(cocomp_pool *pool, cocomp_work work, const void *context, int64_t tasks);

void cocomp_pool_destroy(cocomp_pool *pool);

#endif
