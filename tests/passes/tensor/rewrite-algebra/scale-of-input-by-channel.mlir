// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=scale-of-input-by-channel annotate=true}' | FileCheck %s

// dot(A*SpreadI(K2), K1)
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "8320 -> 8192"
// CHECK-SAME: algebra.rules = "{{.*}}scale-of-input-by-channel

func.func @main(%a: tensor<8x16xf32>, %k2: tensor<16xf32> {sparse.name = "k2"}, %k1: tensor<32x16xf32> {sparse.name = "k1"}) -> tensor<8x32xf32> {
  %0 = tensor.empty() : tensor<8x16xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%k2 : tensor<16xf32>) outs(%0 : tensor<8x16xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<8x16xf32>
  %2 = tensor.empty() : tensor<8x16xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %1 : tensor<8x16xf32>, tensor<8x16xf32>) outs(%2 : tensor<8x16xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.mulf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x16xf32>
  %4 = "sparse.contract"(%3, %k1) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  return %4 : tensor<8x32xf32>
}
