/* Runs an artefact under user-mode emulation. It is linked statically and loads the shared library itself: no system
 * root of the target is needed, and a library for Android runs as well as one for Linux.
 *
 *   guest MODEL.so THREADS DISPATCHES RUNS FILE
 *
 * FILE holds, as 64-bit integers, the number of inputs and their sizes in bytes, the number of outputs and theirs, and the
 * size of the arena; then the inputs. It is overwritten by the outputs and the arena. DISPATCHES below 0 means all. Where
 * the library lay in memory is said in the end, for those who watch its instructions.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cocomp.h"

#if defined(__aarch64__)
enum { RELATIVE = R_AARCH64_RELATIVE, SLOT = R_AARCH64_JUMP_SLOT, GLOBAL = R_AARCH64_GLOB_DAT, ABSOLUTE = R_AARCH64_ABS64 };
#elif defined(__x86_64__)
enum { RELATIVE = R_X86_64_RELATIVE, SLOT = R_X86_64_JUMP_SLOT, GLOBAL = R_X86_64_GLOB_DAT, ABSOLUTE = R_X86_64_64 };
#endif

enum { MAX_TENSORS = 64, ALIGNMENT = 65536 };

static const struct {
  const char *name;
  void *address;
} host[] = {
    {"pthread_create", pthread_create}, {"pthread_join", pthread_join}, {"sched_yield", sched_yield},
    {"syscall", syscall}, {"mmap", mmap}, {"munmap", munmap}, {"madvise", madvise}, {"getauxval", getauxval},
    {"clock_gettime", clock_gettime}, {"sched_getaffinity", sched_getaffinity}, {"memcpy", memcpy}, {"memset", memset},
    {"memmove", memmove},
};

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s%s%s\n", what, *detail ? ": " : "", detail);
  exit(1);
}

static void *checked(void *memory) {
  if (!memory) fail("out of memory", "");
  return memory;
}

static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail("cannot read", path);
  *size = (size_t)ftell(file);
  rewind(file);
  char *data = checked(malloc(*size + 1));
  if (fread(data, 1, *size, file) != *size) fail("cannot read", path);
  fclose(file);
  return data;
}

/* ---- the library ---- */

struct library {
  char *base;
  const Elf64_Sym *symbols;
  size_t count;
  const char *names;
};

static void *find(const struct library *library, const char *name) {
  for (size_t i = 1; i < library->count; i++)
    if (library->symbols[i].st_shndx && !strcmp(library->names + library->symbols[i].st_name, name))
      return library->base + library->symbols[i].st_value;
  for (size_t i = 0; i < sizeof host / sizeof *host; i++)
    if (!strcmp(host[i].name, name)) return host[i].address;
  fail("the library needs a function that this program does not offer", name);
  return NULL;
}

static void relocate(const struct library *library, const Elf64_Rela *entries, size_t bytes) {
  for (size_t i = 0; i < bytes / sizeof *entries; i++) {
    const Elf64_Rela *entry = &entries[i];
    uint64_t *place = (uint64_t *)(library->base + entry->r_offset);
    const uint32_t kind = (uint32_t)ELF64_R_TYPE(entry->r_info);
    const Elf64_Sym *symbol = &library->symbols[ELF64_R_SYM(entry->r_info)];
    if (kind == RELATIVE)
      *place = (uint64_t)library->base + (uint64_t)entry->r_addend;
    else if (kind == SLOT || kind == GLOBAL || kind == ABSOLUTE)
      *place = (uint64_t)find(library, library->names + symbol->st_name) + (uint64_t)entry->r_addend;
    else
      fail("the library has a relocation of an unknown kind", "");
  }
}

static char *map_segments(const char *data, const Elf64_Ehdr *header, const Elf64_Phdr *segments) {
  uint64_t end = 0;
  for (int i = 0; i < header->e_phnum; i++)
    if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr + segments[i].p_memsz > end)
      end = segments[i].p_vaddr + segments[i].p_memsz;
  char *memory = mmap(NULL, end + ALIGNMENT, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("out of memory", "");
  char *base = (char *)(((uintptr_t)memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
  for (int i = 0; i < header->e_phnum; i++)
    if (segments[i].p_type == PT_LOAD) memcpy(base + segments[i].p_vaddr, data + segments[i].p_offset, segments[i].p_filesz);
  __builtin___clear_cache(base, base + end);
  return base;
}

static struct library load(const char *path) {
  size_t size;
  char *data = read_file(path, &size);
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)data;
  if (size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG)) fail("not a library", path);
  const Elf64_Phdr *segments = (const Elf64_Phdr *)(data + header->e_phoff);
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(data + header->e_shoff);
  struct library library = {.base = map_segments(data, header, segments)};
  for (int i = 0; i < header->e_shnum; i++)
    if (sections[i].sh_type == SHT_DYNSYM) {
      library.symbols = (const Elf64_Sym *)(library.base + sections[i].sh_addr);
      library.count = sections[i].sh_size / sizeof(Elf64_Sym);
    }
  uint64_t tags[40] = {0};
  for (int i = 0; i < header->e_phnum; i++)
    if (segments[i].p_type == PT_DYNAMIC)
      for (const Elf64_Dyn *entry = (const Elf64_Dyn *)(library.base + segments[i].p_vaddr); entry->d_tag; entry++)
        if (entry->d_tag < 40) tags[entry->d_tag] = entry->d_un.d_val;
  library.names = library.base + tags[DT_STRTAB];
  relocate(&library, (const Elf64_Rela *)(library.base + tags[DT_RELA]), tags[DT_RELASZ]);
  relocate(&library, (const Elf64_Rela *)(library.base + tags[DT_JMPREL]), tags[DT_PLTRELSZ]);
  free(data);
  return library;
}

/* ---- the run ---- */

struct tensors {
  int64_t count;
  size_t bytes[MAX_TENSORS];
  void *data[MAX_TENSORS];
};

static const int64_t *read_sizes(const int64_t *words, struct tensors *tensors) {
  tensors->count = *words++;
  if (tensors->count < 0 || tensors->count > MAX_TENSORS) fail("too many tensors", "");
  for (int64_t i = 0; i < tensors->count; i++) {
    tensors->bytes[i] = (size_t)*words++;
    tensors->data[i] = checked(calloc(1, tensors->bytes[i] + 1));
  }
  return words;
}

static void write_all(const char *path, const struct tensors *outputs, const void *arena, size_t arena_bytes) {
  FILE *file = fopen(path, "wb");
  if (!file) fail("cannot write", path);
  size_t missing = 0;
  for (int64_t i = 0; i < outputs->count; i++)
    missing += outputs->bytes[i] - fwrite(outputs->data[i], 1, outputs->bytes[i], file);
  missing += arena_bytes - fwrite(arena, 1, arena_bytes, file);
  if (fclose(file) || missing) fail("cannot write", path);
}

int main(int argc, char **argv) {
  if (argc != 6) fail("usage: guest MODEL.so THREADS DISPATCHES RUNS FILE", "");
  const struct library library = load(argv[1]);
  const int64_t dispatches = atoll(argv[3]), runs = atoll(argv[4]);
  size_t size;
  char *data = read_file(argv[5], &size);
  struct tensors inputs, outputs;
  const int64_t *words = read_sizes(read_sizes((const int64_t *)data, &inputs), &outputs);
  const size_t arena_bytes = (size_t)*words++;
  const char *bytes = (const char *)words;
  for (int64_t i = 0; i < inputs.count; bytes += inputs.bytes[i++]) memcpy(inputs.data[i], bytes, inputs.bytes[i]);

  int (*create)(int, cocomp_model **) = (int (*)(int, cocomp_model **))find(&library, "cocomp_create");
  int (*run)(cocomp_model *, const void *const *, void *const *) = find(&library, "cocomp_run");
  int (*run_some)(cocomp_model *, const void *const *, void *const *, int64_t) = find(&library, "cocomp_run_some");
  const void *(*arena)(const cocomp_model *) = find(&library, "cocomp_arena");
  const char *(*message)(int) = find(&library, "cocomp_message");
  void (*destroy)(cocomp_model *) = find(&library, "cocomp_destroy");

  cocomp_model *model;
  int status = create(atoi(argv[2]), &model);
  for (int64_t i = 0; i < runs && !status; i++)
    status = dispatches < 0 ? run(model, (const void *const *)inputs.data, outputs.data)
                            : run_some(model, (const void *const *)inputs.data, outputs.data, dispatches);
  if (status) fail(message(status), "");
  write_all(argv[5], &outputs, arena(model), arena_bytes);
  destroy(model);
  fprintf(stderr, "library: 0x%llx\n", (unsigned long long)(uintptr_t)library.base);
  return 0;
}
