// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=root-times-root fast-math=true annotate=true}' | FileCheck %s

// (A*Sqrt(B))*(Sqrt(B)*C)
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "2048 -> 1024"
// CHECK-SAME: algebra.rules = "{{.*}}root-times-root

func.func @main(%a: tensor<8x64xf32>, %b: tensor<8x64xf32>, %c: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = tensor.empty() : tensor<8x64xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<8x64xf32>) outs(%0 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.sqrt %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  %2 = tensor.empty() : tensor<8x64xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %1 : tensor<8x64xf32>, tensor<8x64xf32>) outs(%2 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.mulf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  %4 = tensor.empty() : tensor<8x64xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<8x64xf32>) outs(%4 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.sqrt %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  %6 = tensor.empty() : tensor<8x64xf32>
  %7 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%5, %c : tensor<8x64xf32>, tensor<8x64xf32>) outs(%6 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.mulf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  %8 = tensor.empty() : tensor<8x64xf32>
  %9 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%3, %7 : tensor<8x64xf32>, tensor<8x64xf32>) outs(%8 : tensor<8x64xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.mulf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x64xf32>
  return %9 : tensor<8x64xf32>
}
