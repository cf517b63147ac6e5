/* Every thread has a share of the tasks, the same part of every kernel, because what a thread has written is in its cache
 * when the next kernel reads it. Shares are handed out by atomic counters, and who is done with his own takes from the
 * others': a thread that was held up does less, and a kernel ends with its tasks, nobody waits for a worker that has not
 * woken up yet. Between kernels the workers spin, because the next kernel follows within microseconds; after a while they
 * sleep on a futex. */
#include "pool.h"

#include <stdatomic.h>
#include <stddef.h>

#include "system.h"

enum { SPINS = 20000, CHUNKS_PER_THREAD = 8, LINE = 64 };

#define NO_TICKET UINT64_MAX

struct cocomp_pool {
  _Alignas(LINE) _Atomic uint32_t generation; /* counts kernels; workers wait for it to change */
  _Atomic uint32_t sleeping;
  _Alignas(LINE) _Atomic int64_t done;    /* tasks of the current kernel that are finished */
  /* The kernel. A late worker may read these while the next one is written; its ticket is then refused. */
  _Alignas(LINE) _Atomic(cocomp_work) work;
  _Atomic(const void *) context;
  _Atomic int64_t tasks;
  _Atomic int64_t chunk;
  _Atomic int stop;
  int threads;
  int started;
  struct worker {
    _Alignas(LINE) _Atomic uint64_t ticket; /* generation, and in the lower half the next task: who is late takes none */
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

static int64_t share_start(int64_t tasks, int number, int threads) { return tasks * number / threads; }

/* Runs a few tasks of somebody's share; 0 when there are none left. */
static int take_some(cocomp_pool *pool, uint32_t generation, int owner, int thread) {
  _Atomic uint64_t *share = &pool->workers[owner].ticket;
  uint64_t ticket = atomic_load_explicit(share, memory_order_acquire);
  for (;;) {
    if ((uint32_t)(ticket >> 32) != generation) return 0;
    const int64_t tasks = atomic_load_explicit(&pool->tasks, memory_order_acquire);
    const int64_t chunk = atomic_load_explicit(&pool->chunk, memory_order_relaxed);
    cocomp_work work = atomic_load_explicit(&pool->work, memory_order_relaxed);
    const void *context = atomic_load_explicit(&pool->context, memory_order_relaxed);
    const int64_t first = (uint32_t)ticket, end = share_start(tasks, owner + 1, pool->threads);
    if (first >= end) return 0;
    const int64_t last = first + chunk < end ? first + chunk : end;
    if (!atomic_compare_exchange_weak_explicit(share, &ticket, ticket + (uint64_t)(last - first), memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    work(context, first, last, thread);
    atomic_fetch_add_explicit(&pool->done, last - first, memory_order_release);
    return 1;
  }
}

static void take_tasks(cocomp_pool *pool, uint32_t generation, int thread) {
  for (int i = 0; i < pool->threads; i++)
    while (take_some(pool, generation, (thread + i) % pool->threads, thread)) continue;
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
    take_tasks(pool, seen, self->number);
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
  const uint32_t generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
  const int64_t chunk = tasks / ((int64_t)pool->threads * CHUNKS_PER_THREAD);
  /* The old tickets go first: who sees the new number of tasks can no longer draw on them. */
  for (int i = 0; i < pool->threads; i++)
    atomic_store_explicit(&pool->workers[i].ticket, NO_TICKET, memory_order_relaxed);
  atomic_store_explicit(&pool->tasks, tasks, memory_order_release);
  atomic_store_explicit(&pool->work, work, memory_order_relaxed);
  atomic_store_explicit(&pool->context, context, memory_order_relaxed);
  atomic_store_explicit(&pool->chunk, chunk < 1 ? 1 : chunk, memory_order_relaxed);
  atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
  for (int i = 0; i < pool->threads; i++) {
    const uint64_t first = (uint64_t)share_start(tasks, i, pool->threads);
    atomic_store_explicit(&pool->workers[i].ticket, (uint64_t)generation << 32 | first, memory_order_release);
  }
  announce(pool);
  take_tasks(pool, generation, 0);
  for (int spins = 0; atomic_load_explicit(&pool->done, memory_order_acquire) != tasks; spins++) {
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
