// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=product-over-exponentials fast-math=true annotate=true}' | FileCheck %s

// Prod(Exp(A))
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "1024 -> 520"
// CHECK-SAME: algebra.rules = "{{.*}}product-over-exponentials

func.func @main(%a: tensor<8x64xf32>) -> tensor<8xf32> {
  %0 = tensor.empty() : tensor<8x64xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<8x64xf32>) outs(%0 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  %3 = arith.constant dense<1.0> : tensor<8xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%1 : tensor<8x64xf32>) outs(%3 : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %r = arith.mulf %x, %o : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %4 : tensor<8xf32>
}
