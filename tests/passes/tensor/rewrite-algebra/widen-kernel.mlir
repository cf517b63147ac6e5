// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=widen-kernel+contract-sum-of-weights annotate=true}' | FileCheck %s

// conv1(K1) + conv3(K2)
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "1320 -> 960"
// CHECK-SAME: algebra.rules = "{{.*}}widen-kernel

func.func @main(%x: tensor<1x4x10xf32>, %k1: tensor<4x4x1xf32> {sparse.name = "k1"}, %k2: tensor<4x4x3xf32> {sparse.name = "k2"}) -> tensor<1x4x10xf32> {
  %0 = "sparse.contract"(%x, %k1) {bounds = array<i64: 1, 4, 10, 4, 1>, maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d2 + d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>]} : (tensor<1x4x10xf32>, tensor<4x4x1xf32>) -> tensor<1x4x10xf32>
  %2 = arith.constant 0.0 : f32
  %1 = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %2 : f32
  } : tensor<1x4x10xf32> to tensor<1x4x12xf32>
  %3 = "sparse.contract"(%1, %k2) {bounds = array<i64: 1, 4, 10, 4, 3>, maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d2 + d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>]} : (tensor<1x4x12xf32>, tensor<4x4x3xf32>) -> tensor<1x4x10xf32>
  %4 = tensor.empty() : tensor<1x4x10xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0, %3 : tensor<1x4x10xf32>, tensor<1x4x10xf32>) outs(%4 : tensor<1x4x10xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<1x4x10xf32>
  return %5 : tensor<1x4x10xf32>
}
