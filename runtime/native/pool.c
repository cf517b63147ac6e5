/* Work is handed out by an atomic counter, so that a thread that was held up takes less of it. Between kernels the
 * workers spin, because the next kernel follows within microseconds; after a while they sleep on a futex. */
#include "pool.h"

#include <stdatomic.h>
#include <stddef.h>

#include "system.h"

enum { SPINS = 20000, CHUNKS_PER_THREAD = 8, LINE = 64 };

struct cocomp_pool {
  _Alignas(LINE) _Atomic uint32_t generation; /* counts kernels; workers wait for it to change */
  _Atomic uint32_t sleeping;
  _Alignas(LINE) _Atomic int64_t next;
  _Alignas(LINE) _Atomic int32_t busy; /* workers that have not finished the current kernel */
  _Alignas(LINE) cocomp_work work;
  const void *context;
  int64_t tasks;
  int64_t chunk;
  _Atomic int stop;
  int threads;
  int started;
  struct worker {
    cocomp_pool *pool;
    cocomp_thread handle;
    int number;
  } workers[]; /* the first entry is the caller's thread */
};

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

static void take_tasks(cocomp_pool *pool, int thread) {
  for (;;) {
    int64_t first = atomic_fetch_add_explicit(&pool->next, pool->chunk, memory_order_relaxed);
    if (first >= pool->tasks) return;
    int64_t last = first + pool->chunk;
    pool->work(pool->context, first, last < pool->tasks ? last : pool->tasks, thread);
  }
}

static uint32_t await_change(cocomp_pool *pool, uint32_t seen) {
  for (int i = 0; i < SPINS; i++) {
    uint32_t now = atomic_load_explicit(&pool->generation, memory_order_acquire);
    if (now != seen) return now;
    relax();
  }
  uint32_t now;
  atomic_fetch_add(&pool->sleeping, 1);
  while ((now = atomic_load(&pool->generation)) == seen) cocomp_futex_wait(&pool->generation, seen);
  atomic_fetch_sub(&pool->sleeping, 1);
  return now;
}

static void *work_until_stopped(void *argument) {
  const struct worker *self = argument;
  cocomp_pool *pool = self->pool;
  uint32_t seen = 0;
  for (;;) {
    seen = await_change(pool, seen);
    if (atomic_load_explicit(&pool->stop, memory_order_acquire)) return NULL;
    take_tasks(pool, self->number);
    atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_release);
  }
}

static void announce(cocomp_pool *pool) {
  atomic_fetch_add(&pool->generation, 1);
  if (atomic_load(&pool->sleeping)) cocomp_futex_wake(&pool->generation);
}

static size_t pool_bytes(int threads) { return sizeof(cocomp_pool) + (size_t)threads * sizeof(struct worker); }

cocomp_pool *cocomp_pool_create(int threads, int *out_of_memory) {
  cocomp_pool *pool = cocomp_pages(pool_bytes(threads));
  *out_of_memory = pool == NULL;
  if (!pool) return NULL;
  pool->threads = threads;
  for (int i = 1; i < threads; i++) {
    struct worker *worker = &pool->workers[i];
    worker->pool = pool;
    worker->number = i;
    if (cocomp_thread_start(&worker->handle, work_until_stopped, worker)) {
      cocomp_pool_destroy(pool);
      return NULL;
    }
    pool->started++;
  }
  return pool;
}

void cocomp_pool_run(cocomp_pool *pool, cocomp_work work, const void *context, int64_t tasks) {
  if (pool->threads == 1 || tasks == 1) {
    work(context, 0, tasks, 0);
    return;
  }
  pool->work = work;
  pool->context = context;
  pool->tasks = tasks;
  pool->chunk = tasks / ((int64_t)pool->threads * CHUNKS_PER_THREAD);
  if (pool->chunk < 1) pool->chunk = 1;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  atomic_store_explicit(&pool->busy, pool->started, memory_order_relaxed);
  announce(pool);
  take_tasks(pool, 0);
  for (int spins = 0; atomic_load_explicit(&pool->busy, memory_order_acquire); spins++) {
    relax();
    if (spins > SPINS) cocomp_yield();
  }
}

void cocomp_pool_destroy(cocomp_pool *pool) {
  if (!pool) return;
  atomic_store_explicit(&pool->stop, 1, memory_order_release);
  announce(pool);
  for (int i = 1; i <= pool->started; i++) cocomp_thread_join(pool->workers[i].handle);
  cocomp_free_pages(pool, pool_bytes(pool->threads));
}
