// RUN: cocomp-opt %s --split-input-file -p merge-functions | FileCheck %s

// CHECK-LABEL: func.func @main
//       CHECK: %[[A:.+]] = call @first(%arg0)
//       CHECK: %[[B:.+]] = call @first(%[[A]])
//       CHECK: call @other(%[[B]])
//       CHECK: func.func private @first
//   CHECK-NOT: @second
//       CHECK: func.func private @other
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = call @first(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %b = call @second(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %c = call @other(%b) : (tensor<4xf32>) -> tensor<4xf32>
  return %c : tensor<4xf32>
}
func.func private @first(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = math.absf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @second(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = math.absf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.negf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Reasons for copies are no part of a kernel: calls have them.

// CHECK-LABEL: func.func @main
//       CHECK: call @turn(%arg0) {layout.copy = "a result"}
//       CHECK: call @turn(%arg0) {layout.copy = "a part"}
//       CHECK: func.func private @turn
//   CHECK-NOT: layout.copy
func.func @main(%x: tensor<4xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %a = call @turn(%x) {layout.copy = "a result"} : (tensor<4xf32>) -> tensor<2x2xf32>
  %b = call @again(%x) {layout.copy = "a part"} : (tensor<4xf32>) -> tensor<2x2xf32>
  return %a, %b : tensor<2x2xf32>, tensor<2x2xf32>
}
func.func private @turn(%x: tensor<4xf32>) -> tensor<2x2xf32> {
  %y = tensor.expand_shape %x [[0, 1]] output_shape [2, 2] {layout.copy = "a result"} : tensor<4xf32> into tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
func.func private @again(%x: tensor<4xf32>) -> tensor<2x2xf32> {
  %y = tensor.expand_shape %x [[0, 1]] output_shape [2, 2] {layout.copy = "a part"} : tensor<4xf32> into tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
