// RUN: cocomp-opt %s -p drop-casts | FileCheck %s

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   %[[X:.+]]: tensor<1x3xf32>, %[[Z:.+]]: tensor<1x4xf32>
//   CHECK-NOT: tensor.cast
//       CHECK: tensor.concat dim(1) %[[X]], %[[Z]] : (tensor<1x3xf32>, tensor<1x4xf32>) -> tensor<1x7xf32>
func.func @main(%x: tensor<1x3xf32>, %z: tensor<1x4xf32>) -> tensor<1x7xf32> {
  %c = tensor.cast %x : tensor<1x3xf32> to tensor<1x?xf32>
  %d = tensor.cast %z : tensor<1x4xf32> to tensor<1x?xf32>
  %y = tensor.concat dim(1) %c, %d : (tensor<1x?xf32>, tensor<1x?xf32>) -> tensor<1x7xf32>
  return %y : tensor<1x7xf32>
}
