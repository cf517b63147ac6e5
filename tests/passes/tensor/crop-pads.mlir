// RUN: cocomp-opt %s --split-input-file -p crop-pads | FileCheck %s

// CHECK-LABEL: func.func @both
//       CHECK: %[[S:.+]] = tensor.extract_slice %arg0[0, 1] [4, 5] [1, 1] : tensor<4x8xf32> to tensor<4x5xf32>
//       CHECK: tensor.pad %[[S]] low[2, 0] high[0, 0]
//       CHECK: tensor<4x5xf32> to tensor<6x5xf32>
func.func @both(%x: tensor<4x8xf32>) -> tensor<6x5xf32> {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[2, -1] high[0, -2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<4x8xf32> to tensor<6x5xf32>
  return %y : tensor<6x5xf32>
}

// -----

// CHECK-LABEL: func.func @untouched
//   CHECK-NOT: tensor.extract_slice
//       CHECK: tensor.pad %arg0 low[1] high[0]
func.func @untouched(%x: tensor<4xf32>) -> tensor<5xf32> {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[1] high[0] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<4xf32> to tensor<5xf32>
  return %y : tensor<5xf32>
}
