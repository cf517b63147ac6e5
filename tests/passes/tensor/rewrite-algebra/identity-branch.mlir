// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=identity-branch+contract-sum-of-weights+commute-sum annotate=true}' | FileCheck %s

// X + conv3(K)
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "1000 -> 960"
// CHECK-SAME: algebra.rules = "{{.*}}identity-branch

func.func @main(%x: tensor<1x4x10xf32>, %k: tensor<4x4x3xf32> {sparse.name = "k"}) -> tensor<1x4x10xf32> {
  %1 = arith.constant 0.0 : f32
  %0 = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %1 : f32
  } : tensor<1x4x10xf32> to tensor<1x4x12xf32>
  %2 = "sparse.contract"(%0, %k) {bounds = array<i64: 1, 4, 10, 4, 3>, maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d2 + d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>]} : (tensor<1x4x12xf32>, tensor<4x4x3xf32>) -> tensor<1x4x10xf32>
  %3 = tensor.empty() : tensor<1x4x10xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %2 : tensor<1x4x10xf32>, tensor<1x4x10xf32>) outs(%3 : tensor<1x4x10xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<1x4x10xf32>
  return %4 : tensor<1x4x10xf32>
}
