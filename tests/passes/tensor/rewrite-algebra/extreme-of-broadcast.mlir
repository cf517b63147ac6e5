// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=extreme-of-broadcast annotate=true}' | FileCheck %s

// Max(Spread(V))
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "512 -> 0"
// CHECK-SAME: algebra.rules = "{{.*}}extreme-of-broadcast

func.func @main(%v: tensor<8xf32>) -> tensor<8xf32> {
  %0 = tensor.empty() : tensor<8x64xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%v : tensor<8xf32>) outs(%0 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<8x64xf32>
  %3 = arith.constant dense<0xFF800000> : tensor<8xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%1 : tensor<8x64xf32>) outs(%3 : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %r = arith.maximumf %x, %o : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %4 : tensor<8xf32>
}
