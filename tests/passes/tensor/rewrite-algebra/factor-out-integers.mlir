// RUN: cocomp-opt %s --random-weights -p 'rewrite-algebra{rules=factor-out annotate=true}' | FileCheck %s

// A*C + A*B
// CHECK: func.func @main
// CHECK-SAME: algebra.flops = "1536 -> 1024"
// CHECK-SAME: algebra.rules = "{{.*}}factor-out

func.func @main(%a: tensor<8x64xi32>, %c: tensor<8x64xi32>, %b: tensor<8x64xi32>) -> tensor<8x64xi32> {
  %0 = tensor.empty() : tensor<8x64xi32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %c : tensor<8x64xi32>, tensor<8x64xi32>) outs(%0 : tensor<8x64xi32>) {
  ^bb0(%x0: i32, %x1: i32, %o: i32):
    %r = arith.muli %x0, %x1 : i32
    linalg.yield %r : i32
  } -> tensor<8x64xi32>
  %2 = tensor.empty() : tensor<8x64xi32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<8x64xi32>, tensor<8x64xi32>) outs(%2 : tensor<8x64xi32>) {
  ^bb0(%x0: i32, %x1: i32, %o: i32):
    %r = arith.muli %x0, %x1 : i32
    linalg.yield %r : i32
  } -> tensor<8x64xi32>
  %4 = tensor.empty() : tensor<8x64xi32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%1, %3 : tensor<8x64xi32>, tensor<8x64xi32>) outs(%4 : tensor<8x64xi32>) {
  ^bb0(%x0: i32, %x1: i32, %o: i32):
    %r = arith.addi %x0, %x1 : i32
    linalg.yield %r : i32
  } -> tensor<8x64xi32>
  return %5 : tensor<8x64xi32>
}
