// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=sum-of-shifts annotate=true}' | FileCheck %s

// Sum(A << n)
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "1024 -> 520"
// CHECK-SAME: algebra.rules = "{{.*}}sum-of-shifts

func.func @main(%a: tensor<8x64xi32>) -> tensor<8xi32> {
  %0 = tensor.empty() : tensor<8x64xi32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<8x64xi32>) outs(%0 : tensor<8x64xi32>) {
  ^bb0(%x0: i32, %o: i32):
    %c = arith.constant 3 : i32
    %r = arith.shli %x0, %c : i32
    linalg.yield %r : i32
  } -> tensor<8x64xi32>
  %3 = arith.constant dense<0> : tensor<8xi32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%1 : tensor<8x64xi32>) outs(%3 : tensor<8xi32>) {
  ^bb0(%x: i32, %o: i32):
    %r = arith.addi %x, %o : i32
    linalg.yield %r : i32
  } -> tensor<8xi32>
  return %4 : tensor<8xi32>
}
