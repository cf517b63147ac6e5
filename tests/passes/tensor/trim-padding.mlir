// RUN: cocomp-opt %s --random-weights -p trim-padding | FileCheck %s

// A kernel of dilation 9 on four elements with nine zeros around: only its middle position sees any of them.

#x = affine_map<(f, p, c, k) -> (c, p + k * 9)>
#w = affine_map<(f, p, c, k) -> (f, c, k)>
#y = affine_map<(f, p, c, k) -> (f, p)>

// CHECK-LABEL: func.func @main
//   CHECK-NOT: tensor.pad
//       CHECK: "sparse.contract"(%arg0, %arg1) {bounds = array<i64: 8, 4, 2, 1>
func.func @main(%x: tensor<2x4xf32>, %w: tensor<8x2x3xf32> {sparse.name = "w"}) -> tensor<8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 9] high[0, 9] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x4xf32> to tensor<2x22xf32>
  %y = "sparse.contract"(%p, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 4, 2, 3>}
      : (tensor<2x22xf32>, tensor<8x2x3xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
