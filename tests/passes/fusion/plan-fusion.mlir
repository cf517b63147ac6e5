// RUN: cocomp-opt %s --split-input-file --random-weights -p classify-mapping,eliminate-layout-transforms,plan-fusion | FileCheck %s
// RUN: cocomp-opt %s --split-input-file --random-weights -p classify-mapping,eliminate-layout-transforms,plan-fusion,form-groups | FileCheck %s --check-prefix=FORMED

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#id = affine_map<(p, r) -> (p, r)>

// An activation is in the group of the contraction before it, and says of which type both are; so does the function of the group.

// CHECK-LABEL: func.func @main
//       CHECK: sparse.contract
//  CHECK-SAME:   fusion.group = 0 : i64
//   CHECK-NOT:   fusion.fused
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.fused = "many-to-many", fusion.group = 0 : i64, fusion.mapping = "one-to-one"
// FORMED-LABEL: func.func private @group_0
//  FORMED-SAME:   fusion.mapping = "many-to-many"
//   FORMED-NOT:   fusion.group
//       FORMED:   linalg.generic
//   FORMED-NOT:   fusion.{{group|fused}}
//       FORMED: return
func.func @main(%x: tensor<2x8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}) -> tensor<2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 4, 8>} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %zero : f32
    linalg.yield %m : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// -----

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// Two contractions are two groups: the table's red, and there is no code for it. The reshape between them is in neither.

// CHECK-LABEL: func.func @main
//       CHECK: sparse.contract
//  CHECK-SAME:   fusion.fused = "many-to-many", fusion.group = 0 : i64
//       CHECK: tensor.expand_shape
//   CHECK-NOT:   fusion.group
//       CHECK: tensor.collapse_shape
//   CHECK-NOT:   fusion.group
//       CHECK: sparse.contract
//  CHECK-SAME:   fusion.fused = "many-to-many", fusion.group = 1 : i64
func.func @main(%x: tensor<2x8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %v: tensor<8x4xf32> {sparse.name = "v"}) -> tensor<2x8xf32> {
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 4, 8>} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %s = tensor.expand_shape %c [[0], [1, 2]] output_shape [2, 2, 2] : tensor<2x4xf32> into tensor<2x2x2xf32>
  %t = tensor.collapse_shape %s [[0], [1, 2]] : tensor<2x2x2xf32> into tensor<2x4xf32>
  %d = "sparse.contract"(%t, %v) {maps = [#x, #w, #y], bounds = array<i64: 2, 8, 4>} : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  return %d : tensor<2x8xf32>
}

// -----

#in = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// A sum of squares and what divides by it: the table's red between reductions and what is expanded is overruled, for one row is
// in the cache.

// CHECK-LABEL: func.func @main
//       CHECK: fusion.group = 0 : i64
//       CHECK: fusion.group = 0 : i64
//       CHECK: fusion.group = 0 : i64
//       CHECK: fusion.fused = "many-to-many", fusion.group = 0 : i64
func.func @main(%x: tensor<4x9xf32>) -> tensor<4x9xf32> {
  %zero = arith.constant dense<0.0> : tensor<4xf32>
  %e = tensor.empty() : tensor<4x9xf32>
  %s = linalg.generic {indexing_maps = [#in, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x9xf32>) outs(%zero : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#in, #row, #in], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<4x9xf32>, tensor<4xf32>) outs(%e : tensor<4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.subf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<4x9xf32>
  %v = linalg.generic {indexing_maps = [#in, #row], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<4x9xf32>) outs(%zero : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %t = arith.addf %o, %q : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %z = linalg.generic {indexing_maps = [#in, #row, #in], iterator_types = ["parallel", "parallel"]}
      ins(%y, %v : tensor<4x9xf32>, tensor<4xf32>) outs(%e : tensor<4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<4x9xf32>
  return %z : tensor<4x9xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#turned = affine_map<(i, j) -> (j, i)>

// What moves values and has to lie in memory ends a group; what is in the group of a result that others read, too, has one of its own.

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.fused = "one-to-one", fusion.group = 0 : i64
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.fused = "shuffle", fusion.group = 1 : i64
func.func @main(%x: tensor<4x9xf32>) -> (tensor<4x9xf32>, tensor<9x4xf32>) {
  %e = tensor.empty() : tensor<4x9xf32>
  %f = tensor.empty() : tensor<9x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x9xf32>) outs(%e : tensor<4x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = math.exp %a : f32
    linalg.yield %t : f32
  } -> tensor<4x9xf32>
  %z = linalg.generic {indexing_maps = [#turned, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<4x9xf32>) outs(%f : tensor<9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<9x4xf32>
  return %y, %z : tensor<4x9xf32>, tensor<9x4xf32>
}

// -----

#turned = affine_map<(i, j) -> (j)>
#id = affine_map<(i, j) -> (i, j)>
#column = affine_map<(j) -> (j)>
#none = affine_map<(j) -> ()>

// Yellow that does not pay: of an expanded value eight square roots, one after the other, for each of so many rows.

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.fused = "one-to-many", fusion.group = 0 : i64
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.fused = "one-to-many", fusion.group = 1 : i64
func.func @main(%s: tensor<f32>, %w: tensor<64x4096xf32>) -> tensor<64x4096xf32> {
  %e = tensor.empty() : tensor<4096xf32>
  %f = tensor.empty() : tensor<64x4096xf32>
  %y = linalg.generic {indexing_maps = [#none, #column], iterator_types = ["parallel"]} ins(%s : tensor<f32>) outs(%e : tensor<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = linalg.index 0 : index
    %i = arith.index_cast %n : index to i32
    %c = arith.sitofp %i : i32 to f32
    %0 = arith.addf %a, %c : f32
    %1 = math.sqrt %0 : f32
    %2 = math.sqrt %1 : f32
    %3 = math.sqrt %2 : f32
    %4 = math.sqrt %3 : f32
    %5 = math.sqrt %4 : f32
    %6 = math.sqrt %5 : f32
    %7 = math.sqrt %6 : f32
    %8 = math.sqrt %7 : f32
    linalg.yield %8 : f32
  } -> tensor<4096xf32>
  %z = linalg.generic {indexing_maps = [#turned, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %w : tensor<4096xf32>, tensor<64x4096xf32>) outs(%f : tensor<64x4096xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<64x4096xf32>
  return %z : tensor<64x4096xf32>
}
