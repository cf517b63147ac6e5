/* The few services of the operating system that the runtime needs (Linux and Android, x86-64 and AArch64). */
#ifndef COCOMP_SYSTEM_H
#define COCOMP_SYSTEM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { COCOMP_MAX_THREADS = 256 };

typedef unsigned long cocomp_thread; /* pthread_t of every libc that is supported */

int cocomp_thread_start(cocomp_thread *thread, void *(*body)(void *), void *argument);
void cocomp_thread_join(cocomp_thread thread);
void cocomp_yield(void);
void cocomp_futex_wait(_Atomic uint32_t *address, uint32_t expected);
void cocomp_futex_wake(_Atomic uint32_t *address);
void *cocomp_pages(size_t bytes); /* zeroed, page-aligned; null when there is no memory */
void cocomp_free_pages(void *pages, size_t bytes);
void cocomp_forget(const void *start, size_t bytes); /* drop whole pages of a file from memory; they are read again when used */
int64_t cocomp_nanoseconds(void);
int cocomp_processors(void);
int cocomp_x86_level(void); /* 1 .. 4 for x86-64-v1 .. v4; 0 elsewhere */
int cocomp_arm_fp16(void);  /* half-precision vector arithmetic */
int cocomp_fits_processor(int x86_level, int arm_fp16); /* whether code that needs these runs here */

#endif
