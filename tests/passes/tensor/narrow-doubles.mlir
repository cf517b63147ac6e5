// RUN: cocomp-opt %s -target=vulkan -p narrow-doubles | FileCheck %s

#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @main(
//       CHECK:   %[[H:.+]] = arith.constant 2.500000e-01 : f32
//       CHECK:   arith.mulf %{{.+}}, %[[H]] : f32
//   CHECK-NOT:   f64
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf64>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f32, %b: f64):
    %h = arith.constant 0.25 : f64
    %w = arith.extf %a : f32 to f64
    %c = arith.mulf %w, %h : f64
    linalg.yield %c : f64
  } -> tensor<4xf64>
  %f = tensor.empty() : tensor<4xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%y : tensor<4xf64>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f64, %b: f32):
    %n = arith.truncf %a : f64 to f32
    linalg.yield %n : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
