// RUN: cocomp-opt %s --random-weights --split-input-file -p fold-constants | FileCheck %s

// A mask that hides nothing is no operand: the side that is left is known, also where another one was made with it. One that differs from
// place to place stays.

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func.func @main(
//  CHECK-SAME:   %[[X:[^:]+]]: tensor<3xf32>, %[[M:[^:]+]]: tensor<3xi1> {sparse.name = "constant"}) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
//       CHECK: %[[A:.+]] = linalg.generic {{.*}} ins(%[[X]] : tensor<3xf32>)
//       CHECK:   math.sqrt
//       CHECK: linalg.generic {{.*}} ins(%[[M]], %[[A]] : tensor<3xi1>, tensor<3xf32>)
//       CHECK:   arith.select
//   CHECK-NOT:   arith.select
func.func @main(%x: tensor<3xf32>, %v: tensor<3xf32> {sparse.name = "v"}) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant -2.0 : f32
  %mask = arith.constant dense<[true, false, true]> : tensor<3xi1>
  %bits = tensor.empty() : tensor<3xi1>
  %e = tensor.empty() : tensor<3xf32>
  %all = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%v : tensor<3xf32>) outs(%bits : tensor<3xi1>) {
  ^bb0(%a: f32, %o: i1):
    %s = arith.mulf %a, %a : f32
    %r = arith.cmpf ogt, %s, %two : f32
    linalg.yield %r : i1
  } -> tensor<3xi1>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%all, %x : tensor<3xi1>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%c: i1, %a: f32, %o: f32):
    %q = math.sqrt %a : f32
    %r = arith.select %c, %q, %zero : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %more = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%all, %v : tensor<3xi1>, tensor<3xf32>) outs(%bits : tensor<3xi1>) {
  ^bb0(%c: i1, %a: f32, %o: i1):
    %q = arith.select %c, %a, %zero : f32
    %s = arith.mulf %q, %q : f32
    %r = arith.cmpf olt, %s, %two : f32
    linalg.yield %r : i1
  } -> tensor<3xi1>
  %w = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%more, %x, %y : tensor<3xi1>, tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%c: i1, %a: f32, %b: f32, %o: f32):
    %r = arith.select %c, %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%mask, %y : tensor<3xi1>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%c: i1, %a: f32, %o: f32):
    %r = arith.select %c, %a, %zero : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %y, %z, %w : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// -----

// Nothing else says how many columns the sum has.

#row = affine_map<(d0, d1) -> (d0)>
#all = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func.func @main(
//       CHECK: %[[T:.+]] = arith.constant dense<true> : tensor<3x5xi1>
//       CHECK: linalg.generic {{.*}} ins(%[[T]], %{{.+}} : tensor<3x5xi1>, tensor<3xf32>)
//   CHECK-NOT:   arith.select
func.func @main(%x: tensor<3xf32>, %v: tensor<3x5xf32> {sparse.name = "v"}) -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant -2.0 : f32
  %bits = tensor.empty() : tensor<3x5xi1>
  %e = tensor.empty() : tensor<3xf32>
  %none = linalg.fill ins(%zero : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %mask = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%v : tensor<3x5xf32>) outs(%bits : tensor<3x5xi1>) {
  ^bb0(%a: f32, %o: i1):
    %s = arith.mulf %a, %a : f32
    %r = arith.cmpf ogt, %s, %two : f32
    linalg.yield %r : i1
  } -> tensor<3x5xi1>
  %y = linalg.generic {indexing_maps = [#all, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%mask, %x : tensor<3x5xi1>, tensor<3xf32>) outs(%none : tensor<3xf32>) {
  ^bb0(%c: i1, %a: f32, %o: f32):
    %q = arith.select %c, %a, %zero : f32
    %r = arith.addf %o, %q : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}
