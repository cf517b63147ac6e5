// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=quotient-of-quotient fast-math=true annotate=true}' | FileCheck %s

// (A/B)/K
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "1024 -> 1024"
// CHECK-SAME: algebra.rules = "{{.*}}quotient-of-quotient

func.func @main(%a: tensor<8x64xf32>, %b: tensor<8x64xf32>, %k: tensor<8x64xf32> {sparse.name = "k"}) -> tensor<8x64xf32> {
  %0 = tensor.empty() : tensor<8x64xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<8x64xf32>, tensor<8x64xf32>) outs(%0 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.divf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  %2 = tensor.empty() : tensor<8x64xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%1, %k : tensor<8x64xf32>, tensor<8x64xf32>) outs(%2 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.divf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  return %3 : tensor<8x64xf32>
}
