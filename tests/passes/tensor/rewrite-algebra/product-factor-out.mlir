// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=factor-out fast-math=true annotate=true}' | FileCheck %s

// dot(A, B)*C + dot(A, B)*D
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "8960 -> 8704"
// CHECK-SAME: algebra.rules = "{{.*}}factor-out

func.func @main(%a: tensor<8x16xf32>, %b: tensor<32x16xf32>, %c: tensor<8x32xf32>, %d: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %0 = "sparse.contract"(%a, %b) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %1 = tensor.empty() : tensor<8x32xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%0, %c : tensor<8x32xf32>, tensor<8x32xf32>) outs(%1 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.mulf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %3 = "sparse.contract"(%a, %b) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %4 = tensor.empty() : tensor<8x32xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%3, %d : tensor<8x32xf32>, tensor<8x32xf32>) outs(%4 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.mulf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %6 = tensor.empty() : tensor<8x32xf32>
  %7 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%2, %5 : tensor<8x32xf32>, tensor<8x32xf32>) outs(%6 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  return %7 : tensor<8x32xf32>
}
