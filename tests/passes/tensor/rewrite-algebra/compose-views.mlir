// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=compose-views+extreme-of-broadcast annotate=true}' | FileCheck %s

// Max(T(Wide(V)))
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "512 -> 0"
// CHECK-SAME: algebra.rules = "{{.*}}compose-views

func.func @main(%v: tensor<8xf32>) -> tensor<8xf32> {
  %0 = tensor.empty() : tensor<64x8xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%v : tensor<8xf32>) outs(%0 : tensor<64x8xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<64x8xf32>
  %2 = tensor.empty() : tensor<8x64xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%1 : tensor<64x8xf32>) outs(%2 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<8x64xf32>
  %5 = arith.constant dense<0xFF800000> : tensor<8xf32>
  %6 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%3 : tensor<8x64xf32>) outs(%5 : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %r = arith.maximumf %x, %o : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %6 : tensor<8xf32>
}
