// RUN: cocomp-opt %s --random-weights -p fold-constants | FileCheck %s

// What hangs on weights alone is computed; literals become weights; unused weights go; splats stay.

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func.func @main(
//  CHECK-SAME:   %[[X:[^:]+]]: tensor<3xf32>
//   CHECK-NOT:   "unused"
//  CHECK-SAME:   %[[T:[^:]+]]: tensor<3xf32> {sparse.name = "constant"}
//  CHECK-SAME:   %[[F:[^:]+]]: tensor<3xf32> {sparse.name = "v:folded"}
//   CHECK-NOT: math.sqrt
//       CHECK: linalg.generic {{.*}} ins(%[[X]], %[[F]], %[[T]]
func.func @main(%x: tensor<3xf32>, %v: tensor<3xf32> {sparse.name = "v"}, %u: tensor<5xf32> {sparse.name = "unused"}) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %table = arith.constant dense<[1.0, 2.0, 4.0]> : tensor<3xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%v : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sqrt %a : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %s, %table : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %r = arith.mulf %m, %c : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}
