// RUN: cocomp-opt %s --split-input-file -target=vulkan -p narrow-doubles{fallback=cpu} | FileCheck %s --check-prefixes=CHECK,KEPT

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

// -----

// Doubles of the boundary are kept, with what they are computed from; a variance is narrowed although it shares a constant with them.

#id = affine_map<(i) -> (i)>

// KEPT-LABEL: func.func @main(
//  KEPT-SAME:   %{{.+}}: tensor<4xf32>, %{{.+}}: tensor<4xf64>) -> (tensor<4xf32>, tensor<4xf64>)
//       KEPT:   %[[S:.+]] = arith.constant 2.500000e-01 : f32
//       KEPT:   arith.mulf %{{.+}}, %[[S]] : f32
//       KEPT:   %[[D:.+]] = arith.constant 2.500000e-01 : f64
//       KEPT:   arith.extf %{{.+}} : f32 to f64
//       KEPT:   arith.mulf %{{.+}}, %[[D]] : f64
//       KEPT:   arith.addf %{{.+}}, %{{.+}} : f64
//   KEPT-NOT:   arith.truncf
func.func @main(%x: tensor<4xf32>, %w: tensor<4xf64>) -> (tensor<4xf32>, tensor<4xf64>) {
  %h = arith.constant 0.25 : f64
  %e = tensor.empty() : tensor<4xf64>
  %f = tensor.empty() : tensor<4xf32>
  %v = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f32, %b: f64):
    %d = arith.extf %a : f32 to f64
    %c = arith.mulf %d, %h : f64
    linalg.yield %c : f64
  } -> tensor<4xf64>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%v : tensor<4xf64>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f64, %b: f32):
    %c = arith.truncf %a : f64 to f32
    linalg.yield %c : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f32, %b: f64):
    %d = arith.extf %a : f32 to f64
    %c = arith.mulf %d, %h : f64
    linalg.yield %c : f64
  } -> tensor<4xf64>
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%y, %w : tensor<4xf64>, tensor<4xf64>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64, %d: f64):
    %c = arith.addf %a, %b : f64
    linalg.yield %c : f64
  } -> tensor<4xf64>
  return %n, %z : tensor<4xf32>, tensor<4xf64>
}
