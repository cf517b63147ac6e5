// RUN: cocomp-opt %s --split-input-file -p split-results | FileCheck %s

// The maximum does not need its position; the position needs the maximum.

#row = affine_map<(d0) -> (d0)>
#one = affine_map<(d0) -> ()>

// CHECK-LABEL: func.func @maximum
//       CHECK: linalg.generic
//       CHECK:   arith.maximumf
//   CHECK-NOT:   linalg.index
//       CHECK:   linalg.yield %{{[^,]+}} : f32
func.func @maximum(%x: tensor<8xf32>, %m: tensor<f32>, %p: tensor<i64>) -> tensor<f32> {
  %y:2 = linalg.generic {indexing_maps = [#row, #one, #one], iterator_types = ["reduction"]}
      ins(%x : tensor<8xf32>) outs(%m, %p : tensor<f32>, tensor<i64>) {
  ^bb0(%v: f32, %best: f32, %at: i64):
    %i = linalg.index 0 : index
    %here = arith.index_cast %i : index to i64
    %larger = arith.maximumf %v, %best : f32
    %new = arith.cmpf ogt, %v, %best : f32
    %place = arith.select %new, %here, %at : i64
    linalg.yield %larger, %place : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  return %y#0 : tensor<f32>
}

// -----

#row = affine_map<(d0) -> (d0)>
#one = affine_map<(d0) -> ()>

// CHECK-LABEL: func.func @position
//       CHECK:   linalg.yield %{{.+}}, %{{.+}} : f32, i64
func.func @position(%x: tensor<8xf32>, %m: tensor<f32>, %p: tensor<i64>) -> tensor<i64> {
  %y:2 = linalg.generic {indexing_maps = [#row, #one, #one], iterator_types = ["reduction"]}
      ins(%x : tensor<8xf32>) outs(%m, %p : tensor<f32>, tensor<i64>) {
  ^bb0(%v: f32, %best: f32, %at: i64):
    %i = linalg.index 0 : index
    %here = arith.index_cast %i : index to i64
    %larger = arith.maximumf %v, %best : f32
    %new = arith.cmpf ogt, %v, %best : f32
    %place = arith.select %new, %here, %at : i64
    linalg.yield %larger, %place : f32, i64
  } -> (tensor<f32>, tensor<i64>)
  return %y#1 : tensor<i64>
}
