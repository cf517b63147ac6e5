// RUN: cocomp-opt %s --split-input-file --random-weights -p eliminate-layout-transforms,plan-fusion,form-groups | FileCheck %s

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#id = affine_map<(p, r) -> (p, r)>

// An activation joins the contraction before it.

// CHECK-LABEL: func.func @main
//       CHECK: %[[Y:.+]] = call @group_0
//   CHECK-NOT: call
//       CHECK: return %[[Y]]
//       CHECK: func.func private @group_0
//       CHECK:   sparse.contract
//       CHECK:   arith.maximumf
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

// Memory that nobody writes gets zeros: some kernel makes every buffer.

// CHECK-LABEL: func.func @main
//   CHECK-NOT: tensor.empty
//   CHECK-DAG: %[[X:.+]] = call @[[COPY:.+]](%arg0)
//   CHECK-DAG: %[[Z:.+]] = call @[[ZEROS:.+]]()
//       CHECK: tensor.insert_slice %[[X]] into %[[Z]]
//       CHECK: func.func private @
func.func @main(%x: tensor<3xf32>) -> tensor<7xf32> {
  %e = tensor.empty() : tensor<7xf32>
  %y = tensor.insert_slice %x into %e[2] [3] [1] : tensor<3xf32> into tensor<7xf32>
  return %y : tensor<7xf32>
}

// -----

#in = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// A reduction and what needs its result for every point share a kernel: one group.

// CHECK-LABEL: func.func @main
//       CHECK: call @group_0
//   CHECK-NOT: call
//       CHECK: return
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
  return %y : tensor<4x9xf32>
}
