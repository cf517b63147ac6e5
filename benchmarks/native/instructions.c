/* QEMU plugin that counts the instructions a single-threaded guest executes: exact, and the same in every run. In the end
 * it prints a line `block: ADDRESS INSTRUCTIONS` for every translated block, some of them more than once.
 *
 * Debian ships no qemu-plugin.h; what is used of version 1 of its interface is declared here. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct qemu_info_t qemu_info_t;
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
unsigned long qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
void qemu_plugin_outs(const char *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static struct block {
  uint64_t address, instructions;
  struct block *next;
} *blocks;

static void on_translation(plugin_id id, struct qemu_plugin_tb *translated) {
  (void)id;
  struct block *block = malloc(sizeof *block);
  if (!block) abort();
  *block = (struct block){qemu_plugin_tb_vaddr(translated), 0, blocks};
  blocks = block;
  qemu_plugin_register_vcpu_tb_exec_inline(translated, ADD_U64, &block->instructions, qemu_plugin_tb_n_insns(translated));
}

static void at_the_end(plugin_id id, void *unused) {
  (void)id, (void)unused;
  char line[64];
  for (const struct block *block = blocks; block; block = block->next) {
    const unsigned long long address = block->address, instructions = block->instructions;
    snprintf(line, sizeof line, "block: 0x%llx %llu\n", address, instructions);
    qemu_plugin_outs(line);
  }
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const qemu_info_t *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, at_the_end, 0);
  return 0;
}
