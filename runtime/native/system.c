/* Declares what it uses of libc by hand: the same source serves glibc, musl and Android's bionic, whose headers are not
 * at hand when a phone's library is built on a workstation. */
#include "system.h"

int pthread_create(cocomp_thread *, const void *, void *(*)(void *), void *);
int pthread_join(cocomp_thread, void **);
int sched_yield(void);
long syscall(long, ...);
void *mmap(void *, size_t, int, int, int, long);
int munmap(void *, size_t);
int madvise(void *, size_t, int);
unsigned long getauxval(unsigned long);
struct timespec64 {
  int64_t seconds;
  long nanoseconds;
};
int clock_gettime(int, struct timespec64 *);
int sched_getaffinity(int, size_t, void *);

enum {
  FUTEX_WAIT_PRIVATE = 128,
  FUTEX_WAKE_PRIVATE = 129,
  READ_WRITE = 3,
  PRIVATE_ANONYMOUS = 0x22,
  HUGE_PAGES = 14,
  DONT_NEED = 4,
  LARGEST_PAGE = 65536,
  MONOTONIC = 1,
  HWCAP = 16,
  HWCAP_ASIMDHP = 1 << 10,
};

#if defined(__x86_64__)
enum { SYS_FUTEX = 202 };
#elif defined(__aarch64__)
enum { SYS_FUTEX = 98 };
#else
#error "this processor is not supported"
#endif

int cocomp_thread_start(cocomp_thread *thread, void *(*body)(void *), void *argument) {
  return pthread_create(thread, 0, body, argument);
}

void cocomp_thread_join(cocomp_thread thread) { pthread_join(thread, 0); }

void cocomp_yield(void) { sched_yield(); }

void cocomp_futex_wait(_Atomic uint32_t *address, uint32_t expected) {
  syscall(SYS_FUTEX, address, FUTEX_WAIT_PRIVATE, expected, (void *)0);
}

void cocomp_futex_wake(_Atomic uint32_t *address) { syscall(SYS_FUTEX, address, FUTEX_WAKE_PRIVATE, 0x7fffffff); }

void *cocomp_pages(size_t bytes) {
  if (!bytes) bytes = 1;
  void *pages = mmap(0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
  if (pages == (void *)-1) return 0;
  if (bytes >= 2u << 20) madvise(pages, bytes, HUGE_PAGES);
  return pages;
}

void cocomp_free_pages(void *pages, size_t bytes) { munmap(pages, bytes ? bytes : 1); }

void cocomp_forget(const void *start, size_t bytes) {
  const uintptr_t first = ((uintptr_t)start + LARGEST_PAGE - 1) & ~(uintptr_t)(LARGEST_PAGE - 1);
  const uintptr_t last = ((uintptr_t)start + bytes) & ~(uintptr_t)(LARGEST_PAGE - 1);
  if (last > first) madvise((void *)first, last - first, DONT_NEED);
}

int64_t cocomp_nanoseconds(void) {
  struct timespec64 now = {0, 0};
  clock_gettime(MONOTONIC, &now);
  return now.seconds * 1000000000 + now.nanoseconds;
}

int cocomp_processors(void) {
  uint64_t mask[16] = {0};
  int count = 0;
  if (sched_getaffinity(0, sizeof mask, mask) < 0) return 1;
  for (int i = 0; i < 16; i++) count += __builtin_popcountll(mask[i]);
  return count ? count : 1;
}

#if defined(__x86_64__)

struct registers {
  uint32_t a, b, c, d;
};

static struct registers cpuid(uint32_t leaf, uint32_t subleaf) {
  struct registers r;
  __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
  return r;
}

static uint32_t enabled_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int has(uint32_t value, uint32_t bits) { return (value & bits) == bits; }

int cocomp_x86_level(void) {
  /* Bits of the System V psABI's micro-architecture levels, as CPUID reports them. */
  const uint32_t v2 = 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23; /* leaf 1, ecx */
  const uint32_t v3 = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;          /* leaf 1, ecx */
  const uint32_t v3b = 1u << 3 | 1u << 5 | 1u << 8;                                  /* leaf 7, ebx */
  const uint32_t v4b = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;         /* leaf 7, ebx */
  const uint32_t leaves = cpuid(0, 0).a;
  const struct registers one = cpuid(1, 0);
  if (!has(one.c, v2)) return 1;
  if (leaves < 7 || !has(one.c, v3) || !has(cpuid(0x80000001u, 0).c, 1u << 5)) return 2;
  const struct registers seven = cpuid(7, 0);
  if (!has(seven.b, v3b) || !has(enabled_state(), 0x6)) return 2;
  if (!has(seven.b, v4b) || !has(enabled_state(), 0xe6)) return 3;
  return 4;
}

int cocomp_arm_fp16(void) { return 0; }

#else

int cocomp_x86_level(void) { return 0; }

int cocomp_arm_fp16(void) { return (getauxval(HWCAP) & HWCAP_ASIMDHP) != 0; }

#endif

int cocomp_fits_processor(int x86_level, int arm_fp16) {
  return x86_level <= cocomp_x86_level() && (!arm_fp16 || cocomp_arm_fp16());
}
