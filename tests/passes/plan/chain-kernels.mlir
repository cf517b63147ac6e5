// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p chain-kernels,assign-arena | FileCheck %s

// A unit is a head: scores and their sum share a launch, and the scores are in memory of the thread that runs the unit.

// CHECK-LABEL: func.func @main() attributes {plan.arena_bytes = 0 : i64
//       CHECK: %[[S:.+]] = "plan.local"() {bytes = 1024 : i64, offset = 0 : i64}
//       CHECK: "plan.dispatch"(%{{.+}}, %[[S]]) {chain = 0 : i64, kernel = @scores, {{.*}}units = 12 : i64
//       CHECK: "plan.dispatch"(%[[S]], %{{.+}}) {chain = 0 : i64, kernel = @sum, {{.*}}units = 12 : i64
func.func @main() {
  %q = "plan.input"() {index = 0} : () -> !plan.buffer
  %y = "plan.output"() {index = 0} : () -> !plan.buffer
  %s = "plan.arena"() {bytes = 12288, offset = -1} : () -> !plan.buffer
  "plan.dispatch"(%q, %s) {kernel = @scores, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%s, %y) {kernel = @sum, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  return
}
func.func private @scores() attributes {kernel.tasks = 24, kernel.digits = array<i64: 12, 2>, kernel.walks = [array<i64>, array<i64: 1024, 512, 1024, 512>]} { return }
func.func private @sum() attributes {kernel.tasks = 36, kernel.digits = array<i64: 12>, kernel.walks = [array<i64: 1024, 1024>, array<i64: 64, 64>]} { return }

// -----

// What a kernel reads all of needs all that comes before. Single tasks share a launch, and pass everything on in the arena.

// CHECK-LABEL: func.func @main() attributes {plan.arena_bytes = 192 : i64
//   CHECK-NOT: "plan.local"
//       CHECK: "plan.dispatch"(%{{.+}}, %[[A:.+]]) {kernel = @rows,
//       CHECK: "plan.dispatch"(%[[A]], %[[B:.+]]) {chain = 0 : i64, kernel = @small, {{.*}}units = 1 : i64
//       CHECK: "plan.dispatch"(%[[B]], %[[C:.+]]) {chain = 0 : i64, kernel = @small, {{.*}}units = 1 : i64
func.func @main() {
  %x = "plan.input"() {index = 0} : () -> !plan.buffer
  %y = "plan.output"() {index = 0} : () -> !plan.buffer
  %a = "plan.arena"() {bytes = 64, offset = -1} : () -> !plan.buffer
  %b = "plan.arena"() {bytes = 64, offset = -1} : () -> !plan.buffer
  %c = "plan.arena"() {bytes = 64, offset = -1} : () -> !plan.buffer
  "plan.dispatch"(%x, %a) {kernel = @rows, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%a, %b) {kernel = @small, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%b, %c) {kernel = @small, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%c, %y) {kernel = @rows, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  return
}
func.func private @rows() attributes {kernel.tasks = 16, kernel.digits = array<i64: 16>, kernel.walks = [array<i64>, array<i64: 4, 4>]} { return }
func.func private @small() attributes {kernel.tasks = 1} { return }
