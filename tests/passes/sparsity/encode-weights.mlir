// RUN: cocomp-opt %s --random-weights -p encode-weights | FileCheck %s

// Random weights have no zeros. A constant behind a view is read directly, and encoded like any other.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   %[[W:[^:]+]]: tensor<4x8xf32, #sparse.dense> {sparse.name = "w"}
//  CHECK-SAME:   %[[V:[^:]+]]: tensor<32xf32, #sparse.dense> {sparse.name = "v"}
//       CHECK: "sparse.contract"(%{{.+}}, %[[W]])
//       CHECK: "sparse.contract"(%{{.+}}, %[[V]])
func.func @main(%x: tensor<2x8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %v: tensor<32xf32> {sparse.name = "v"})
    -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %view = tensor.expand_shape %v [[0, 1]] output_shape [4, 8] : tensor<32xf32> into tensor<4x8xf32>
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 4, 8>} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %b = "sparse.contract"(%x, %view) {maps = [#x, #w, #y], bounds = array<i64: 2, 4, 8>} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  return %a, %b : tensor<2x4xf32>, tensor<2x4xf32>
}
