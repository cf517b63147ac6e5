// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=slice-of-product annotate=true}' | FileCheck %s

// Slice(dot(A, K))
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "8192 -> 2048"
// CHECK-SAME: algebra.rules = "{{.*}}slice-of-product

func.func @main(%a: tensor<8x16xf32>, %k: tensor<32x16xf32> {sparse.name = "k"}) -> tensor<8x8xf32> {
  %0 = "sparse.contract"(%a, %k) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %1 = tensor.extract_slice %0[0, 8] [8, 8] [1, 1] : tensor<8x32xf32> to tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}
