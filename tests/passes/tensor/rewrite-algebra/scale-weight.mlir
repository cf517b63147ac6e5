// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=scale-weight annotate=true}' | FileCheck %s

// dot(A, K) * n
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "8448 -> 8192"
// CHECK-SAME: algebra.rules = "{{.*}}scale-weight

func.func @main(%a: tensor<8x16xf32>, %k: tensor<32x16xf32> {sparse.name = "k"}) -> tensor<8x32xf32> {
  %0 = "sparse.contract"(%a, %k) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %1 = tensor.empty() : tensor<8x32xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<8x32xf32>) outs(%1 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %c = arith.constant 5.000000e-01 : f32
    %r = arith.mulf %x0, %c : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  return %2 : tensor<8x32xf32>
}
