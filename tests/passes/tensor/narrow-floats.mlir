// RUN: cocomp-opt %s --split-input-file -target=linux-arm64 -mcpu=cortex-a76 --random-weights -p narrow-floats | FileCheck %s

// Tensors between kernels and weights are halves; inputs and outputs of the model stay as they are.

#x = affine_map<(r, c) -> (c)>
#w = affine_map<(r, c) -> (r, c)>
#y = affine_map<(r, c) -> (r)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   tensor<8xf32>, %{{.+}}: tensor<4x8xf16> {sparse.name = "w
//  CHECK-SAME:   -> tensor<4xf32>
//       CHECK:   arith.truncf
//       CHECK: "sparse.contract"{{.*}} -> tensor<4xf16>
//       CHECK:   arith.extf
func.func @main(%x: tensor<8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}) -> tensor<4xf32> {
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 4, 8>} : (tensor<8xf32>, tensor<4x8xf32>) -> tensor<4xf32>
  return %c : tensor<4xf32>
}

// -----

// What is in double precision stays so.

#x = affine_map<(r, c) -> (c)>
#w = affine_map<(r, c) -> (r, c)>
#y = affine_map<(r, c) -> (r)>

// CHECK-LABEL: func.func @main
//   CHECK-NOT:   f16
//       CHECK:   "sparse.contract"{{.*}} -> tensor<4xf64>
//       CHECK:   tm_tensor.scan
//   CHECK-NOT:   f16
//       CHECK:   return
func.func @main(%x: tensor<8xf64>, %w: tensor<4x8xf64> {sparse.name = "w"}, %s: tensor<4xf64>, %t: tensor<f64>) -> tensor<4xf64> {
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 4, 8>} : (tensor<8xf64>, tensor<4x8xf64>) -> tensor<4xf64>
  %y:2 = tm_tensor.scan dimension(0) inclusive(true) ins(%c : tensor<4xf64>) outs(%s, %t : tensor<4xf64>, tensor<f64>) {
  ^bb0(%a: f64, %b: f64):
    %d = arith.addf %a, %b : f64
    tm_tensor.yield %d : f64
  } -> tensor<4xf64>, tensor<f64>
  return %y#0 : tensor<4xf64>
}
