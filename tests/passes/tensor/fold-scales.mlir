// RUN: cocomp-opt %s --random-weights -p raise-contractions,fold-scales | FileCheck %s

// What follows the contraction scales its rows: the weight is scaled instead, and an addition remains.

#x = affine_map<(r, c) -> (c)>
#w = affine_map<(r, c) -> (r, c)>
#y = affine_map<(r, c) -> (r)>
#id = affine_map<(r) -> (r)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   %[[X:.+]]: tensor<8xf32>, %[[W:.+]]: tensor<4x8xf32>
//       CHECK: %[[SCALED:.+]] = linalg.generic {{.*}} ins(%[[W]], %{{.+}} : tensor<4x8xf32>
//       CHECK:   arith.mulf
//       CHECK: %[[C:.+]] = "sparse.contract"(%[[X]], %[[SCALED]])
//       CHECK: linalg.generic {{.*}} ins(%[[C]],
//   CHECK-NOT:   arith.mulf
//       CHECK:   arith.addf
//   CHECK-NOT:   arith.mulf
func.func @main(%x: tensor<8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %s: tensor<4xf32> {sparse.name = "s"},
                %b: tensor<4xf32> {sparse.name = "b"}) -> tensor<4xf32> {
  %zero = arith.constant dense<0.0> : tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<8xf32>, tensor<4x8xf32>) outs(%zero : tensor<4xf32>) {
  ^bb0(%a: f32, %v: f32, %o: f32):
    %m = arith.mulf %a, %v : f32
    %t = arith.addf %o, %m : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]}
      ins(%c, %s, %b : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %scale: f32, %shift: f32, %o: f32):
    %m = arith.mulf %a, %scale : f32
    %t = arith.addf %m, %shift : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
