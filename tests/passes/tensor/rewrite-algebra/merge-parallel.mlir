// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=merge-parallel annotate=true}' | FileCheck %s

// Sum(Exp(dot(A, K1) + SpreadC(K2))), Sum(Exp(dot(A, K3) + SpreadC(K4)))
// CHECK: func.func @main
// CHECK-SAME: algebra.bytes = "9536 -> 9024"
// CHECK-SAME: algebra.flops = "17920 -> 17920"
// CHECK-SAME: algebra.kernels = "4 -> 3"
// CHECK-SAME: algebra.rules = "{{.*}}merge-parallel

func.func @main(%a: tensor<8x16xf32>, %k1: tensor<32x16xf32> {sparse.name = "k1"}, %k2: tensor<32xf32> {sparse.name = "k2"}, %k3: tensor<32x16xf32> {sparse.name = "k3"}, %k4: tensor<32xf32> {sparse.name = "k4"}) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = "sparse.contract"(%a, %k1) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %1 = tensor.empty() : tensor<8x32xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%k2 : tensor<32xf32>) outs(%1 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<8x32xf32>
  %3 = tensor.empty() : tensor<8x32xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%0, %2 : tensor<8x32xf32>, tensor<8x32xf32>) outs(%3 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %5 = tensor.empty() : tensor<8x32xf32>
  %6 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%4 : tensor<8x32xf32>) outs(%5 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %8 = arith.constant dense<0.0> : tensor<8xf32>
  %9 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%6 : tensor<8x32xf32>) outs(%8 : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %r = arith.addf %x, %o : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %10 = "sparse.contract"(%a, %k3) {bounds = array<i64: 8, 32, 16>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]} : (tensor<8x16xf32>, tensor<32x16xf32>) -> tensor<8x32xf32>
  %11 = tensor.empty() : tensor<8x32xf32>
  %12 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%k4 : tensor<32xf32>) outs(%11 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %o: f32):
    linalg.yield %x0 : f32
  } -> tensor<8x32xf32>
  %13 = tensor.empty() : tensor<8x32xf32>
  %14 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%10, %12 : tensor<8x32xf32>, tensor<8x32xf32>) outs(%13 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %r = arith.addf %x0, %x1 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %15 = tensor.empty() : tensor<8x32xf32>
  %16 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%14 : tensor<8x32xf32>) outs(%15 : tensor<8x32xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8x32xf32>
  %18 = arith.constant dense<0.0> : tensor<8xf32>
  %19 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%16 : tensor<8x32xf32>) outs(%18 : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %r = arith.addf %x, %o : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %9, %19 : tensor<8xf32>, tensor<8xf32>
}
