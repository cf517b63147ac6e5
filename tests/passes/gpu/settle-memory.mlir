// RUN: cocomp-opt %s --split-input-file -target=vulkan -p settle-memory | FileCheck %s

// @twice writes whole texels and knows lines: it is a kernel of images, and of buffers where @last writes its operand element by
// element, in another dispatch. Operands that cannot be images have no pitches, and the CPU sees buffers only.

//   CHECK-LABEL: func.func @main()
//         CHECK:   %[[A:.*]] = "plan.image"() {bytes = 256 : i64, depth = 1 : i64, element = f32, height = 2 : i64, offset = -1 : i64, slot = -1 : i64, width = 8 : i64}
//         CHECK:   %[[B:.*]] = "plan.image"()
//         CHECK:   %[[C:.*]] = "plan.arena"() {bytes = 256 : i64
//         CHECK:   %[[D:.*]] = "plan.arena"() {bytes = 256 : i64
//         CHECK:   "plan.dispatch"(%{{.*}}, %[[A]]) {kernel = @twice
//         CHECK:   "plan.dispatch"(%[[A]], %[[B]]) {kernel = @twice_1
//         CHECK:   "plan.dispatch"(%[[B]], %[[C]]) {kernel = @last, {{.*}} writes = [{argument = 1 : i64, in_buffer = "kernel last writes it element by element"
//         CHECK:   "plan.dispatch"(%[[C]], %[[D:.*]]) {kernel = @twice_2
//         CHECK:   "plan.dispatch"(%[[D]], %{{.*}}) {kernel = @scan,
//         CHECK: func.func private @twice_1
//    CHECK-SAME:   kernel.images = array<i64: 0, 1>
//         CHECK: func.func private @twice_2
//    CHECK-SAME:   kernel.images = array<i64>
//         CHECK: func.func private @twice(
//    CHECK-SAME:   kernel.images = array<i64: 1>
//         CHECK: func.func private @last(
//    CHECK-SAME:   kernel.images = array<i64: 0>
//         CHECK: func.func private @scan(
//     CHECK-NOT:   kernel.images
!buffer = memref<64xf32, #spirv.storage_class<StorageBuffer>>

func.func @main() {
  %x = "plan.input"() {index = 0} : () -> !plan.buffer
  %y = "plan.output"() {index = 0} : () -> !plan.buffer
  %a = "plan.arena"() {bytes = 256, offset = -1} : () -> !plan.buffer
  %b = "plan.arena"() {bytes = 256, offset = -1} : () -> !plan.buffer
  %c = "plan.arena"() {bytes = 256, offset = -1} : () -> !plan.buffer
  %d = "plan.arena"() {bytes = 256, offset = -1} : () -> !plan.buffer
  "plan.dispatch"(%x, %a) {kernel = @twice, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%a, %b) {kernel = @twice, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%b, %c) {kernel = @last, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%c, %d) {kernel = @twice, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  "plan.dispatch"(%d, %y) {kernel = @scan, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  return
}

func.func private @twice(%x: !buffer, %y: !buffer) attributes {kernel.grid = array<i64: 1, 1, 1>, kernel.pitches = [array<i64: 32>, array<i64: 32>]} {
  %p = arith.constant 40 : index
  %line = arith.constant 1 : index
  %element = arith.constant 8 : index
  %v = "texel.fetch"(%x, %p, %line, %element) : (!buffer, index, index, index) -> vector<4xf32>
  "texel.write"(%y, %v, %p, %line, %element) : (!buffer, vector<4xf32>, index, index, index) -> ()
  return
}

func.func private @last(%x: !buffer, %y: !buffer) attributes {kernel.grid = array<i64: 1, 1, 1>, kernel.pitches = [array<i64: 32>, array<i64: 32>]} {
  %p = arith.constant 40 : index
  %line = arith.constant 1 : index
  %element = arith.constant 8 : index
  %v = "texel.fetch"(%x, %p, %line, %element) : (!buffer, index, index, index) -> f32
  memref.store %v, %y[%p] : !buffer
  return
}

func.func private @scan(%x: memref<64xf32>, %y: memref<64xf32>, %first: index, %last: index) attributes {kernel.on_cpu = "operation 'tm_tensor.scan' is not supported on GPUs", kernel.tasks = 1} {
  return
}

// -----

// Sixteen lines of four elements, eight in a slice: one texel wide.

//   CHECK-LABEL: func.func @main()
//         CHECK:   "plan.image"() {bytes = 256 : i64, depth = 2 : i64, element = f32, height = 8 : i64, offset = -1 : i64, slot = -1 : i64, width = 1 : i64}
!buffer = memref<64xf32, #spirv.storage_class<StorageBuffer>>

func.func @main() {
  %x = "plan.input"() {index = 0} : () -> !plan.buffer
  %a = "plan.arena"() {bytes = 256, offset = -1} : () -> !plan.buffer
  "plan.dispatch"(%x, %a) {kernel = @copy, writes = [{argument = 1}], operandSegmentSizes = array<i32: 2>} : (!plan.buffer, !plan.buffer) -> ()
  return
}

func.func private @copy(%x: !buffer, %y: !buffer) attributes {kernel.grid = array<i64: 1, 1, 1>, kernel.pitches = [array<i64>, array<i64: 32, 4>]} {
  %p = arith.constant 40 : index
  %slice = arith.constant 1 : index
  %line = arith.constant 2 : index
  %element = arith.constant 0 : index
  %v = "texel.fetch"(%x, %p) : (!buffer, index) -> vector<4xf32>
  "texel.write"(%y, %v, %p, %slice, %line, %element) : (!buffer, vector<4xf32>, index, index, index, index) -> ()
  return
}
