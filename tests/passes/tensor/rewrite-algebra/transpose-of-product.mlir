// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=transpose-of-product annotate=true}' | FileCheck %s

// T(dot(A, K))
// CHECK: func.func @main
// CHECK-SAME: algebra.bytes = "4608 -> 3584"
// CHECK-SAME: algebra.flops = "8192 -> 8192"
// CHECK-SAME: algebra.rules = "{{.*}}transpose-of-product

func.func @main(%a: tensor<8x16xf32>, %k: tensor<32x16xf32> {sparse.name = "k"}) -> tensor<32x8xf32> {
  %0 = "sparse.contract"(%a, %k) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %1 = tensor.empty() : tensor<32x8xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<8x32xf32>) outs(%1 : tensor<32x8xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<32x8xf32>
  return %2 : tensor<32x8xf32>
}
