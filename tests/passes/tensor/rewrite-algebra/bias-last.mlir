// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=bias-last+contract-sum-of-weights annotate=true}' | FileCheck %s

// (dot(A, K1) + K2) + dot(A, K3)
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "16896 -> 8448"
// CHECK-SAME: algebra.rules = "{{.*}}bias-last

func.func @main(%a: tensor<8x16xf32>, %k1: tensor<32x16xf32> {sparse.name = "k1"}, %k2: tensor<8x32xf32> {sparse.name = "k2"}, %k3: tensor<32x16xf32> {sparse.name = "k3"}) -> tensor<8x32xf32> {
  %0 = "sparse.contract"(%a, %k1) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %1 = tensor.empty() : tensor<8x32xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%0, %k2 : tensor<8x32xf32>, tensor<8x32xf32>) outs(%1 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %3 = "sparse.contract"(%a, %k3) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %4 = tensor.empty() : tensor<8x32xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%2, %3 : tensor<8x32xf32>, tensor<8x32xf32>) outs(%4 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  return %5 : tensor<8x32xf32>
}
