// RUN: cocomp-opt %s --split-input-file -target=android-gpu -p bind-texels | FileCheck %s

// 65536 texels of a buffer are what any device sees. The first operand has as many, the second one more: it is read as vectors, and one
// element of it from the buffer itself, where the first has a view of its own for that, too large already. The last is half precision.

//     CHECK-LABEL: func.func private @k(
//      CHECK-SAME:   %[[X:[a-z0-9]+]]: memref<262144xf32, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[W:[a-z0-9]+]]: memref<262148xf32, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[V:[a-z0-9]+]]: memref<65537xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[H:[a-z0-9]+]]: memref<65537xvector<4xf16>, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   %[[Q:[a-z0-9]+]]: !spirv.image<f32, Buffer,
//      CHECK-SAME:   kernel.bindings = ["buffer f32", "buffer f32", "vectors f32", "vectors f16", "quads f32"]
//      CHECK-SAME:   kernel.operands = array<i64: 0, 1, 1, 2, 0>
//           CHECK: spirv.ImageFetch %[[Q]]
//           CHECK: memref.load %[[X]]
//           CHECK: %[[AT:.*]] = arith.divui %{{.*}}, %c4
//           CHECK: memref.load %[[V]][%[[AT]]]
//           CHECK: memref.load %[[W]]
//           CHECK: memref.load %[[H]]
//           CHECK: arith.extf %{{.*}} : vector<4xf16> to vector<4xf32>
//           CHECK: arith.truncf %{{.*}} : vector<4xf32> to vector<4xf16>
//           CHECK: memref.store %{{.*}}, %[[H]]
!seen = memref<262144xf32, #spirv.storage_class<StorageBuffer>>
!large = memref<262148xf32, #spirv.storage_class<StorageBuffer>>
!half = memref<262148xf16, #spirv.storage_class<StorageBuffer>>

func.func private @k(%x: !seen, %w: !large, %h: !half) attributes {kernel.grid = array<i64: 1, 1, 1>} {
  %p = gpu.thread_id x
  %a = "texel.fetch"(%x, %p) : (!seen, index) -> vector<4xf32>
  %b = "texel.fetch"(%x, %p) : (!seen, index) -> f32
  %c = "texel.fetch"(%w, %p) : (!large, index) -> vector<4xf32>
  %d = "texel.fetch"(%w, %p) : (!large, index) -> f32
  %e = "texel.fetch"(%h, %p) : (!half, index) -> vector<4xf32>
  %f = arith.addf %a, %c : vector<4xf32>
  %g = arith.addf %b, %d : f32
  %i = vector.broadcast %g : f32 to vector<4xf32>
  %j = arith.addf %e, %i : vector<4xf32>
  %k = arith.addf %f, %j : vector<4xf32>
  "texel.write"(%h, %k, %p) : (!half, vector<4xf32>, index) -> ()
  return
}

// -----

// So is what one binding does not show all of, and what is no whole number of vectors: the last one is behind it.

//     CHECK-LABEL: func.func private @l(
//      CHECK-SAME:   memref<8388609xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   memref<65538xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
//      CHECK-SAME:   kernel.bindings = ["vectors f32", "vectors f32"]
!most = memref<33554436xf32, #spirv.storage_class<StorageBuffer>>
!odd = memref<262149xf32, #spirv.storage_class<StorageBuffer>>

func.func private @l(%x: !most, %y: !odd) attributes {kernel.grid = array<i64: 1, 1, 1>} {
  %p = gpu.thread_id x
  %a = "texel.fetch"(%x, %p) : (!most, index) -> vector<4xf32>
  %b = "texel.fetch"(%y, %p) : (!odd, index) -> vector<4xf32>
  return
}
