// The first runs take times that are made up: contractions read 300 ns faster from images, all else 300 ns slower, writing them takes 100 ns
// longer. The others measure nothing, and find that in the database, but for another device.

// RUN: rm -f %t.sqlite && python %S/pretend_memory.py %s --split-input-file -target=vulkan --random-weights -p 'encode-weights,plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory,tune-memory{seconds=100 database=%t.sqlite device=a}' | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: cocomp-opt %s --split-input-file -target=vulkan --random-weights -p 'encode-weights,plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory,tune-memory{database=%t.sqlite device=a}' | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: cocomp-opt %s --split-input-file -target=vulkan --random-weights -p 'encode-weights,plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory,tune-memory{database=%t.sqlite device=b}' | FileCheck %s --check-prefixes=CHECK,PREDICTED
// RUN: python %S/pretend_memory.py %s --split-input-file -target=vulkan -mcpu=adreno --random-weights -p 'encode-weights,plan-fusion{fuse=false},form-groups,select-layout{gather=true},choose-memory,tune-memory{seconds=100 database=%t.sqlite device=a}' | FileCheck %s --check-prefixes=CHECK,FAST,ADRENO

// What one contraction writes and another reads becomes an image.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

//      CHECK-LABEL: func.func @main(
//             FAST: call @group_0(
//         FAST-NOT:   in_buffer = ["buffers
//             FAST: call @group_1(
//             FAST: func.func private @group_0({{.*}} -> (tensor<6x24xf32> {layout.map = {{.*}}#layout.texture2d<24 : i64>>})
//             FAST: func.func private @group_1(%{{.*}}: tensor<6x24xf32> {layout.map = {{.*}}#layout.texture2d<24 : i64>>}
//   PREDICTED-SAME: sparse.name
//        PREDICTED: call @group_0({{.*}}in_buffer = ["buffers and images share
//    PREDICTED-NOT: texture2d
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}, %v: tensor<8x24xf32> {sparse.name = "v"}) -> tensor<6x8xf32> {
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  %b = "sparse.contract"(%a, %v) {maps = [#x, #w, #y], bounds = array<i64: 6, 8, 24>} : (tensor<6x24xf32>, tensor<8x24xf32>) -> tensor<6x8xf32>
  return %b : tensor<6x8xf32>
}

// -----

// What a contraction and a reduction read is a buffer: the one saves less than the other and who writes it lose together.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

//  CHECK-LABEL: func.func @main(
//        CHECK: call @group_0(
//  ADRENO-SAME:   layout.in_buffer = ["its kernels are faster with a buffer"]
//    CHECK-NOT: texture2d
func.func @main(%x: tensor<6x32xf32>, %w: tensor<20x32xf32> {sparse.name = "w"}, %v: tensor<8x20xf32> {sparse.name = "v"}) -> (tensor<6x8xf32>, tensor<6xf32>) {
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 20, 32>} : (tensor<6x32xf32>, tensor<20x32xf32>) -> tensor<6x20xf32>
  %b = "sparse.contract"(%a, %v) {maps = [#x, #w, #y], bounds = array<i64: 6, 8, 20>} : (tensor<6x20xf32>, tensor<8x20xf32>) -> tensor<6x8xf32>
  %z = arith.constant dense<0.0> : tensor<6xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<6x20xf32>) outs(%z : tensor<6xf32>) {
  ^bb0(%p: f32, %q: f32):
    %c = arith.addf %p, %q : f32
    linalg.yield %c : f32
  } -> tensor<6xf32>
  return %b, %s : tensor<6x8xf32>, tensor<6xf32>
}

// -----

// Rows of 22 elements: the kernel writes half texels, so that the tensor stays a buffer whatever is asked for, and nothing is measured.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

//  CHECK-LABEL: func.func @main(
//       ADRENO: call @group_0({{.*}}in_buffer = ["kernel group_0 writes it element by element"]
//    CHECK-NOT: texture2d
func.func @main(%x: tensor<6x32xf32>, %w: tensor<22x32xf32> {sparse.name = "w"}, %v: tensor<8x22xf32> {sparse.name = "v"}) -> tensor<6x8xf32> {
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 22, 32>} : (tensor<6x32xf32>, tensor<22x32xf32>) -> tensor<6x22xf32>
  %b = "sparse.contract"(%a, %v) {maps = [#x, #w, #y], bounds = array<i64: 6, 8, 22>} : (tensor<6x22xf32>, tensor<8x22xf32>) -> tensor<6x8xf32>
  return %b : tensor<6x8xf32>
}
