// RUN: cocomp-opt %s --split-input-file --random-weights -p raise-contractions | FileCheck %s

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (c, r)>
#y = affine_map<(p, r, c) -> (p, r)>

// A transposed weight is read through its map; what is accumulated onto is added afterwards.

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   %[[X:.+]]: tensor<2x8xf32>, %[[W:.+]]: tensor<4x8xf32> {{.*}}, %[[B:.+]]: tensor<2x4xf32>
//       CHECK: %[[C:.+]] = "sparse.contract"(%[[X]], %[[W]]) {bounds = array<i64: 2, 4, 8>
//       CHECK: linalg.generic {{.*}} ins(%[[C]], %[[B]]
//       CHECK:   arith.addf
func.func @main(%x: tensor<2x8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %b: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %t : tensor<2x8xf32>, tensor<8x4xf32>) outs(%b : tensor<2x4xf32>) {
  ^bb0(%a: f32, %v: f32, %o: f32):
    %m = arith.mulf %a, %v : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

#in = affine_map<(i, k) -> (i, k)>
#out = affine_map<(i, k) -> (i)>

// Integers stay loops.

// CHECK-LABEL: func.func @integers
//   CHECK-NOT: sparse.contract
func.func @integers(%x: tensor<2x8xi64>, %z: tensor<2x8xi64>) -> tensor<2xi64> {
  %zero = arith.constant dense<0> : tensor<2xi64>
  %y = linalg.generic {indexing_maps = [#in, #in, #out], iterator_types = ["parallel", "reduction"]}
      ins(%x, %z : tensor<2x8xi64>, tensor<2x8xi64>) outs(%zero : tensor<2xi64>) {
  ^bb0(%a: i64, %v: i64, %o: i64):
    %m = arith.muli %a, %v : i64
    %s = arith.addi %o, %m : i64
    linalg.yield %s : i64
  } -> tensor<2xi64>
  return %y : tensor<2xi64>
}
