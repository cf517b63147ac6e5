// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=product-of-transpose annotate=true}' | FileCheck %s

// dot(TA, K)
// CHECK: func.func @main
// CHECK-SAME: algebra.bytes = "4096 -> 3584"
// CHECK-SAME: algebra.flops = "8192 -> 8192"
// CHECK-SAME: algebra.rules = "{{.*}}product-of-transpose

func.func @main(%a: tensor<16x8xf32>, %k: tensor<32x16xf32> {sparse.name = "k"}) -> tensor<8x32xf32> {
  %0 = tensor.empty() : tensor<8x16xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<16x8xf32>) outs(%0 : tensor<8x16xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<8x16xf32>
  %2 = "sparse.contract"(%1, %k) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  return %2 : tensor<8x32xf32>
}
