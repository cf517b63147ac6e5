// RUN: cocomp-opt %s --split-input-file --random-weights -p classify-mapping | FileCheck %s
// RUN: cocomp-opt %s --split-input-file --random-weights -p classify-mapping,eliminate-layout-transforms,plan-fusion,form-groups,select-layout,merge-functions | FileCheck %s --check-prefix=MERGED

#id = affine_map<(r, c) -> (r, c)>
#row = affine_map<(r, c) -> (c)>
#scalar = affine_map<(r, c) -> ()>
#first = affine_map<(r, c) -> (r)>

// Element-wise operations, sums and contractions; a bias and a constant do not count beside an activation.

// CHECK-LABEL: func.func @main
//       CHECK: sparse.contract
//  CHECK-SAME:   fusion.mapping = "many-to-many"
//   CHECK-NOT: tensor.empty(){{.*}}fusion
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "one-to-one"
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "one-to-many"
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "many-to-many"
func.func @main(%x: tensor<2x8xf32>, %r: tensor<4xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %b: tensor<4xf32> {sparse.name = "b"})
    -> (tensor<2x4xf32>, tensor<2xf32>) {
  %six = arith.constant dense<6.0> : tensor<f32>
  %c = "sparse.contract"(%x, %w) {maps = [affine_map<(p, r, c) -> (p, c)>, affine_map<(p, r, c) -> (r, c)>, affine_map<(p, r, c) -> (p, r)>], bounds = array<i64: 2, 4, 8>} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %biased = linalg.generic {indexing_maps = [#id, #row, #scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%c, %b, %six : tensor<2x4xf32>, tensor<4xf32>, tensor<f32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %add: f32, %top: f32, %o: f32):
    %s = arith.addf %a, %add : f32
    %m = arith.minimumf %s, %top : f32
    linalg.yield %m : f32
  } -> tensor<2x4xf32>
  %spread = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%biased, %r : tensor<2x4xf32>, tensor<4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %add: f32, %o: f32):
    %s = arith.mulf %a, %add : f32
    linalg.yield %s : f32
  } -> tensor<2x4xf32>
  %z = arith.constant dense<0.0> : tensor<2xf32>
  %sum = linalg.generic {indexing_maps = [#id, #first], iterator_types = ["parallel", "reduction"]} ins(%spread : tensor<2x4xf32>) outs(%z : tensor<2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %spread, %sum : tensor<2x4xf32>, tensor<2xf32>
}

// -----

// What moves values.

// CHECK-LABEL: func.func @main
//       CHECK: tensor.extract_slice
//  CHECK-SAME:   fusion.mapping = "one-to-one"
//       CHECK: tensor.expand_shape
//  CHECK-SAME:   fusion.mapping = "reorganize"
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "shuffle"
//       CHECK: tensor.concat
//  CHECK-SAME:   fusion.mapping = "one-to-one"
//       CHECK: tensor.pad
//       CHECK:   fusion.mapping = "one-to-one"
//       CHECK: tm_tensor.scan
//       CHECK:   fusion.mapping = "many-to-many"
func.func @main(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) {
  %s = tensor.extract_slice %x[0, 0] [2, 6] [1, 1] : tensor<4x6xf32> to tensor<2x6xf32>
  %v = tensor.expand_shape %s [[0], [1, 2]] output_shape [2, 2, 3] : tensor<2x6xf32> into tensor<2x2x3xf32>
  %e = tensor.empty() : tensor<2x3x2xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, c, b)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v : tensor<2x2x3xf32>) outs(%e : tensor<2x3x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x3x2xf32>
  %f = tensor.collapse_shape %t [[0], [1, 2]] : tensor<2x3x2xf32> into tensor<2x6xf32>
  %k = tensor.concat dim(0) %f, %s : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %f low[2, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x6xf32> to tensor<4x6xf32>
  %o = tensor.empty() : tensor<4x6xf32>
  %z = arith.constant dense<0.0> : tensor<4xf32>
  %sums, %last = tm_tensor.scan dimension(1) inclusive(true) ins(%p : tensor<4x6xf32>) outs(%o, %z : tensor<4x6xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %q = arith.addf %a, %b : f32
    tm_tensor.yield %q : f32
  } -> tensor<4x6xf32>, tensor<4xf32>
  return %k, %last : tensor<4x6xf32>, tensor<4xf32>
}

// -----

// A weight's values are looked up.

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "one-to-many"
func.func @main(%i: tensor<3xi64>, %w: tensor<5xf32> {sparse.name = "w"}) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%i : tensor<3xi64>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: i64, %o: f32):
    %p = arith.index_cast %a : i64 to index
    %v = tensor.extract %w[%p] : tensor<5xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// A constant that is spread is made from nothing; a weight that is spread is the operand.

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "one-to-one"
//       CHECK: linalg.generic
//  CHECK-SAME:   fusion.mapping = "one-to-many"
#id = affine_map<(r, c) -> (r, c)>
#row = affine_map<(r, c) -> (c)>
#scalar = affine_map<(r, c) -> ()>
func.func @main(%w: tensor<4xf32> {sparse.name = "w"}) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %six = arith.constant dense<6.0> : tensor<f32>
  %e = tensor.empty() : tensor<2x4xf32>
  %y = linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%six : tensor<f32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x4xf32>
  %z = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x4xf32>
  return %y, %z : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// A copy that forming groups has made has no type, and is the same kernel as one of the model's.

// MERGED-LABEL: func.func @main
//       MERGED: call @[[KERNEL:.+]](%arg0)
//       MERGED: call @[[KERNEL]](%arg0)
//   MERGED-NOT: fusion.mapping
//       MERGED: linalg.generic
#id = affine_map<(r, c) -> (r, c)>
func.func @main(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x4xf32>
  return %x, %y : tensor<2x4xf32>, tensor<2x4xf32>
}
