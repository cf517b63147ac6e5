// RUN: cocomp-opt %s --split-input-file --random-weights -p raise-contractions,fold-scales | FileCheck %s

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

// -----

// A bias that is spread over the whole result first, and a scale along a batch of one: both are the rows' all the same.

#x = affine_map<(n, r, p, c) -> (n, c, p)>
#w = affine_map<(n, r, p, c) -> (r, c)>
#y = affine_map<(n, r, p, c) -> (n, r, p)>
#id = affine_map<(n, r, p) -> (n, r, p)>
#rows = affine_map<(n, r, p) -> (r)>
#column = affine_map<(n, r, p) -> (n, r, 0)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   %[[X:[^:]+]]: tensor<1x8x5xf32>, %[[W:[^:]+]]: tensor<4x8xf32>
//       CHECK: %[[SCALED:.+]] = linalg.generic {{.*}} ins(%[[W]], %{{.+}} : tensor<4x8xf32>
//       CHECK: %[[C:.+]] = "sparse.contract"(%[[X]], %[[SCALED]])
//       CHECK: linalg.generic {{.*}} ins(%[[C]], %{{.+}} : tensor<1x4x5xf32>, tensor<4xf32>)
//   CHECK-NOT:   arith.mulf
//       CHECK:   arith.addf
//   CHECK-NOT: linalg.generic
func.func @main(%x: tensor<1x8x5xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %b: tensor<4xf32> {sparse.name = "b"},
                %s: tensor<1x4x1xf32> {sparse.name = "s"}) -> tensor<1x4x5xf32> {
  %e = tensor.empty() : tensor<1x4x5xf32>
  %bias = linalg.generic {indexing_maps = [#rows, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%b : tensor<4xf32>) outs(%e : tensor<1x4x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<1x4x5xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 4, 5, 8>} : (tensor<1x8x5xf32>, tensor<4x8xf32>) -> tensor<1x4x5xf32>
  %t = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %bias : tensor<1x4x5xf32>, tensor<1x4x5xf32>) outs(%e : tensor<1x4x5xf32>) {
  ^bb0(%a: f32, %v: f32, %o: f32):
    %sum = arith.addf %a, %v : f32
    linalg.yield %sum : f32
  } -> tensor<1x4x5xf32>
  %y = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%t, %s : tensor<1x4x5xf32>, tensor<1x4x1xf32>) outs(%e : tensor<1x4x5xf32>) {
  ^bb0(%a: f32, %v: f32, %o: f32):
    %product = arith.mulf %a, %v : f32
    linalg.yield %product : f32
  } -> tensor<1x4x5xf32>
  return %y : tensor<1x4x5xf32>
}
