// RUN: cocomp-opt %s -target=android-gpu -p split-bindings | FileCheck %s

// A binding shows 2^27 bytes. The first buffer has as many and stays what it is; the second has two and a half times as many, the
// third, of vectors in half precision, a vector more; the last is seen through the texture units.

//     CHECK-LABEL: func.func private @k(
//      CHECK-SAME:   %[[W:[a-z0-9]+]]: memref<33554432xf32, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[X0:[a-z0-9]+]]: memref<33554432xf32, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[X1:[a-z0-9]+]]: memref<33554432xf32, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[X2:[a-z0-9]+]]: memref<16777216xf32, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[H0:[a-z0-9]+]]: memref<16777216xvector<4xf16>, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[H1:[a-z0-9]+]]: memref<1xvector<4xf16>, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[Q:[a-z0-9]+]]: !spirv.image<f32, Buffer
//      CHECK-SAME:   kernel.bindings = ["buffer f32", "buffer f32", "buffer f32", "buffer f32", "vectors f16", "vectors f16", "quads f32"]
//      CHECK-SAME:   kernel.operands = array<i64: 1, 0, 0, 0, 2, 2, 1>
//      CHECK-SAME:   kernel.windows = array<i64: 0, 0, 134217728, 268435456, 0, 134217728, 0>
//           CHECK:   %[[P:.*]] = gpu.thread_id x
//           CHECK:   memref.load %[[W]][%[[P]]]

// A position is in the first window, or else in one of the others, and counted from where that begins.

//           CHECK:   %[[FIRST:.*]] = arith.constant 33554432 : index
//           CHECK:   %[[IN0:.*]] = arith.cmpi ult, %[[P]], %[[FIRST]]
//           CHECK:   %[[FOUND:.*]] = scf.if %[[IN0]] -> (f32) {
//           CHECK:     memref.load %[[X0]][%[[P]]]
//           CHECK:   } else {
//           CHECK:     %[[P1:.*]] = arith.subi %[[P]], %c33554432
//           CHECK:     %[[IN1:.*]] = arith.cmpi ult, %[[P1]], %c33554432
//           CHECK:     scf.if %[[IN1]] -> (f32) {
//           CHECK:       memref.load %[[X1]][%[[P1]]]
//           CHECK:     } else {
//           CHECK:       %[[P2:.*]] = arith.subi %[[P1]], %c33554432
//           CHECK:       memref.load %[[X2]][%[[P2]]]
//           CHECK:   %[[S:.*]] = arith.addf %{{.*}}, %[[FOUND]]
//           CHECK:   scf.if %{{[a-z0-9]+}} {
//           CHECK:     memref.store %[[S]], %[[X0]][%[[P]]]
//           CHECK:     scf.if %{{[a-z0-9]+}} {
//           CHECK:       memref.store %[[S]], %[[X1]][%{{.*}}]
//           CHECK:       memref.store %[[S]], %[[X2]][%{{.*}}]
//           CHECK:   %[[FOUR:.*]] = scf.if %{{[a-z0-9]+}} -> (vector<4xf16>) {
//           CHECK:     memref.load %[[H0]]
//           CHECK:     memref.load %[[H1]]
//           CHECK:   scf.if %{{[a-z0-9]+}} {
//           CHECK:     memref.store %[[FOUR]], %[[H0]]
//           CHECK:     memref.store %[[FOUR]], %[[H1]]
!whole = memref<33554432xf32, #spirv.storage_class<StorageBuffer>>
!large = memref<83886080xf32, #spirv.storage_class<StorageBuffer>>
!half = memref<16777217xvector<4xf16>, #spirv.storage_class<StorageBuffer>>
!texels = !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>

func.func private @k(%w: !whole, %x: !large, %h: !half, %q: !texels) attributes {
    kernel.grid = array<i64: 1, 1, 1>, kernel.operands = array<i64: 1, 0, 2, 1>,
    kernel.bindings = ["buffer f32", "buffer f32", "vectors f16", "quads f32"]} {
  %p = gpu.thread_id x
  %a = memref.load %w[%p] : !whole
  %b = memref.load %x[%p] : !large
  %s = arith.addf %a, %b : f32
  memref.store %s, %x[%p] : !large
  %v = memref.load %h[%p] : !half
  memref.store %v, %h[%p] : !half
  %i = arith.index_cast %p : index to i32
  %t = spirv.ImageFetch %q, %i : !texels, i32 -> vector<4xf32>
  return
}

// What fits is left alone, and so are kernels of the CPU.

//     CHECK-LABEL: func.func private @small(
//      CHECK-SAME:   %{{[a-z0-9]+}}: memref<33554432xf32, #spirv.storage_class<StorageBuffer>>) attributes
//      CHECK-SAME:   kernel.operands = array<i64: 0>
//      CHECK-SAME:   kernel.windows = array<i64: 0>
func.func private @small(%x: !whole) attributes {
    kernel.grid = array<i64: 1, 1, 1>, kernel.operands = array<i64: 0>, kernel.bindings = ["buffer f32"]} {
  %p = gpu.thread_id x
  %a = memref.load %x[%p] : !whole
  memref.store %a, %x[%p] : !whole
  return
}

//     CHECK-LABEL: func.func private @of_the_cpu(
//      CHECK-SAME:   %{{[a-z0-9]+}}: memref<83886080xf32>) {
//       CHECK-NOT:   kernel.windows
func.func private @of_the_cpu(%x: memref<83886080xf32>) {
  return
}
