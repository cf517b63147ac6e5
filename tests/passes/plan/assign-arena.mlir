// RUN: cocomp-opt %s -p assign-arena | FileCheck %s

// %a and %c never live at the same time and share a place; persistent buffers have memory of their own. Images %d and %f share a
// slot, %e, which lives with both, has another one; the host sees them behind the arena.

// CHECK-LABEL: func.func @main() attributes {plan.arena_bytes = 192 : i64, plan.image_bytes = 192 : i64, plan.persistent_bytes = 192 : i64}
//       CHECK: "plan.arena"() {bytes = 128 : i64, offset = 0 : i64}
//       CHECK: "plan.arena"() {bytes = 4 : i64, offset = 128 : i64}
//       CHECK: "plan.arena"() {bytes = 64 : i64, offset = 0 : i64}
//       CHECK: "plan.image"() {bytes = 128 : i64, {{.*}} offset = 192 : i64, slot = 0 : i64
//       CHECK: "plan.image"() {bytes = 64 : i64, {{.*}} offset = 320 : i64, slot = 1 : i64
//       CHECK: "plan.image"() {bytes = 64 : i64, {{.*}} offset = 192 : i64, slot = 0 : i64
//       CHECK: "plan.persistent"() {bytes = 100 : i64, offset = 0 : i64}
//       CHECK: "plan.persistent"() {bytes = 8 : i64, offset = 128 : i64}
func.func @main() {
  %x = "plan.input"() {index = 0} : () -> !plan.buffer
  %y = "plan.output"() {index = 0} : () -> !plan.buffer
  %a = "plan.arena"() {bytes = 128, offset = -1} : () -> !plan.buffer
  %b = "plan.arena"() {bytes = 4, offset = -1} : () -> !plan.buffer
  %c = "plan.arena"() {bytes = 64, offset = -1} : () -> !plan.buffer
  %d = "plan.image"() {bytes = 128, width = 4, height = 2, depth = 1, element = f32, slot = -1, offset = -1} : () -> !plan.buffer
  %e = "plan.image"() {bytes = 64, width = 4, height = 1, depth = 1, element = f32, slot = -1, offset = -1} : () -> !plan.buffer
  %f = "plan.image"() {bytes = 64, width = 4, height = 1, depth = 1, element = f32, slot = -1, offset = -1} : () -> !plan.buffer
  %p = "plan.persistent"() {bytes = 100, offset = -1} : () -> !plan.buffer
  %q = "plan.persistent"() {bytes = 8, offset = -1} : () -> !plan.buffer
  "plan.dispatch"(%x, %a) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%a, %b) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%b, %c) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%c, %y) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%x, %d) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%d, %e) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%e, %f) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%f, %y) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  return
}
