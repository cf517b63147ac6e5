// RUN: cocomp-opt %s -p merge-functions | FileCheck %s

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
