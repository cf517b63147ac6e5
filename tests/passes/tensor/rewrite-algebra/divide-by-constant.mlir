// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=divide-by-constant fast-math=true annotate=true}' | FileCheck %s

// A / K
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "512 -> 512"
// CHECK-SAME: algebra.rules = "{{.*}}divide-by-constant

func.func @main(%a: tensor<8x64xf32>, %k: tensor<8x64xf32> {sparse.name = "k"}) -> tensor<8x64xf32> {
  %0 = tensor.empty() : tensor<8x64xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %k : tensor<8x64xf32>, tensor<8x64xf32>) outs(%0 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.divf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}
