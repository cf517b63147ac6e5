// RUN: cocomp-opt %s --split-input-file -target=vulkan -p 'plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory{memory=texture}' | FileCheck %s --check-prefixes=CHECK,TEXTURE
// RUN: cocomp-opt %s --split-input-file -target=vulkan -mcpu=adreno -p 'plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory' | FileCheck %s --check-prefixes=CHECK,ADRENO
// RUN: cocomp-opt %s --split-input-file -target=vulkan -p 'plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory' | FileCheck %s --check-prefixes=CHECK,DESKTOP
// RUN: cocomp-opt %s --split-input-file -target=vulkan -p 'plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory{memory=buffer}' | FileCheck %s --check-prefixes=CHECK,BUFFER

// 24 elements are a line of six texels, one of six lines. Inputs and outputs are in buffers. A GPU of the family adreno takes what a
// contraction reads as an image, and only a reduction reads this; one of a desktop takes none.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// CHECK-LABEL: func.func @main(
//         CHECK:   call @group_0(
//   TEXTURE-NOT:     in_buffer
//   ADRENO-SAME:     layout.in_buffer = ["no contraction reads it again and again"]
//  DESKTOP-SAME:     layout.in_buffer = ["buffers and images share a large cache
//   BUFFER-SAME:     layout.in_buffer = ["buffers were asked for"]
//         CHECK:   call @group_1(
//    CHECK-SAME:     layout.in_buffer = ["it is an output of the model"]
//         CHECK: func.func private @group_0(
//  TEXTURE-SAME:   -> (tensor<6x24xf32> {layout.map = #layout.map<{{.*}}, 144 : i64, #layout.texture2d<24 : i64>>})
//       TEXTURE: func.func private @group_1(%{{.*}}: tensor<6x24xf32> {layout.map = #layout.map<{{.*}}, 144 : i64, #layout.texture2d<24 : i64>>})
//    ADRENO-NOT: texture2d
//   DESKTOP-NOT: texture2d
//    BUFFER-NOT: texture2d
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32>) -> tensor<6xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  %z = arith.constant dense<0.0> : tensor<6xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<6x24xf32>) outs(%z : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  } -> tensor<6xf32>
  return %s : tensor<6xf32>
}

// -----

// Two parts of a whole that a contraction reads: all have the lines of the whole. Lines of seven elements are no whole texels.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func @main(
//         CHECK:   call @group_2(
//  TEXTURE-SAME:     layout.in_buffer = ["its lines are no whole texels"]
//   ADRENO-SAME:     layout.in_buffer = ["its lines are no whole texels"]
//       TEXTURE: func.func private @group_0({{.*}} -> (tensor<6x8xf32> {layout.map = {{.*}}#layout.texture2d<24 : i64>>})
//       TEXTURE: func.func private @group_1({{.*}} -> (tensor<6x16xf32> {layout.map = {{.*}}#layout.texture2d<24 : i64>>})
//       TEXTURE: func.func private @group_2(%{{.*}}: tensor<6x24xf32> {layout.map = {{.*}}#layout.texture2d<24 : i64>>},
//        ADRENO: func.func private @group_0({{.*}} -> (tensor<6x8xf32> {layout.map = {{.*}}#layout.texture2d<24 : i64>>})
//   DESKTOP-NOT: texture2d
func.func @main(%x: tensor<6x32xf32>, %v: tensor<8x32xf32>, %w: tensor<16x32xf32>, %u: tensor<7x24xf32>, %t: tensor<5x7xf32>) -> tensor<6x5xf32> {
  %a = "sparse.contract"(%x, %v) {maps = [#x, #w, #y], bounds = array<i64: 6, 8, 32>} : (tensor<6x32xf32>, tensor<8x32xf32>) -> tensor<6x8xf32>
  %b = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 16, 32>} : (tensor<6x32xf32>, tensor<16x32xf32>) -> tensor<6x16xf32>
  %c = tensor.concat dim(1) %a, %b : (tensor<6x8xf32>, tensor<6x16xf32>) -> tensor<6x24xf32>
  %d = "sparse.contract"(%c, %u) {maps = [#x, #w, #y], bounds = array<i64: 6, 7, 24>} : (tensor<6x24xf32>, tensor<7x24xf32>) -> tensor<6x7xf32>
  %e = "sparse.contract"(%d, %t) {maps = [#x, #w, #y], bounds = array<i64: 6, 5, 7>} : (tensor<6x7xf32>, tensor<5x7xf32>) -> tensor<6x5xf32>
  return %e : tensor<6x5xf32>
}

// -----

// Integers are no texels, and 20000 elements are more of them than any device is certain to take in a line.

#id = affine_map<(i) -> (i)>

//   CHECK-LABEL: func.func @main(
//       TEXTURE:   call @group_0({{.*}} {layout.in_buffer = ["four elements of type i32 are no texel"]}
//       TEXTURE:   call @group_1({{.*}} {layout.in_buffer = ["an image of 5000 x 1 texels is more than the 4096 each way that are certain"]}
func.func @main(%x: tensor<20000xi32>) -> tensor<20000xf32> {
  %e = tensor.empty() : tensor<20000xi32>
  %f = tensor.empty() : tensor<20000xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<20000xi32>) outs(%e : tensor<20000xi32>) {
  ^bb0(%a: i32, %b: i32):
    %c = arith.addi %a, %a : i32
    linalg.yield %c : i32
  } -> tensor<20000xi32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%y : tensor<20000xi32>) outs(%f : tensor<20000xf32>) {
  ^bb0(%a: i32, %b: f32):
    %c = arith.sitofp %a : i32 to f32
    linalg.yield %c : f32
  } -> tensor<20000xf32>
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%z : tensor<20000xf32>) outs(%f : tensor<20000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<20000xf32>
  return %g : tensor<20000xf32>
}

// -----

// Lines of 20000 elements are too wide for any device to be certain, and lines of 1000 too many; slices of 20 lines are neither.

#id = affine_map<(i, j, k) -> (i, j, k)>

//  CHECK-LABEL: func.func @main(
//   TEXTURE-NOT:   in_buffer = ["an image
//       TEXTURE: func.func private @group_0({{.*}} -> (tensor<250x20x1000xf32> {layout.map = #layout.map<{{.*}}, #layout.texture3d<1000 : i64, 20000 : i64>>})
//       TEXTURE: func.func private @group_1(%{{.*}}: tensor<250x20x1000xf32> {layout.map = #layout.map<{{.*}}, #layout.texture3d<1000 : i64, 20000 : i64>>})
func.func @main(%x: tensor<250x20x1000xf32>) -> tensor<250x20x1000xf32> {
  %e = tensor.empty() : tensor<250x20x1000xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<250x20x1000xf32>) outs(%e : tensor<250x20x1000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<250x20x1000xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%y : tensor<250x20x1000xf32>) outs(%e : tensor<250x20x1000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.mulf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<250x20x1000xf32>
  return %z : tensor<250x20x1000xf32>
}
