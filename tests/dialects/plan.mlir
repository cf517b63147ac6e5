// RUN: cocomp-opt %s | cocomp-opt - | FileCheck %s

// CHECK-LABEL: func.func @main
//       CHECK: %[[X:.+]] = "plan.input"() {index = 0 : i64} : () -> !plan.buffer
//       CHECK: %[[W:.+]] = "plan.constant"() {weight = "conv.weight"}
//       CHECK: %[[A:.+]] = "plan.arena"() {bytes = 64 : i64, offset = -1 : i64}
//       CHECK: %[[P:.+]] = "plan.persistent"() {bytes = 32 : i64, offset = -1 : i64}
//       CHECK: "plan.dispatch"(%[[X]], %[[W]], %[[A]]) {kernel = @k
//       CHECK: %[[L:.+]] = "plan.local"() {bytes = 16 : i64, offset = 0 : i64}
//       CHECK: "plan.dispatch"(%[[A]], %[[L]]) {chain = 0 : i64, kernel = @k, {{.*}}units = 4 : i64
func.func @main() {
  %x = "plan.input"() {index = 0} : () -> !plan.buffer
  %w = "plan.constant"() {weight = "conv.weight"} : () -> !plan.buffer
  %a = "plan.arena"() {bytes = 64, offset = -1} : () -> !plan.buffer
  %p = "plan.persistent"() {bytes = 32, offset = -1} : () -> !plan.buffer
  "plan.dispatch"(%x, %w, %a) {kernel = @k, writes = [], operandSegmentSizes = array<i32: 3>} : (!plan.buffer, !plan.buffer, !plan.buffer) -> ()
  %l = "plan.local"() {bytes = 16, offset = 0} : () -> !plan.buffer
  "plan.dispatch"(%a, %l) {kernel = @k, chain = 0, units = 4, writes = [], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  return
}
