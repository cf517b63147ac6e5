// RUN: cocomp-opt %s --split-input-file --random-weights -p 'rewrite-algebra{annotate=true}' | FileCheck %s

// Three branches over one image, as training leaves them, become one convolution; the weights are computed at compile time.

#x1 = affine_map<(n, o, p, c, k) -> (n, c, p + k)>
#w = affine_map<(n, o, p, c, k) -> (o, c, k)>
#y = affine_map<(n, o, p, c, k) -> (n, o, p)>
#id = affine_map<(n, c, p) -> (n, c, p)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME: algebra.flops = "16896 -> 12288", algebra.kernels = "3 -> 2"
//   CHECK-DAG: tensor.pad %{{.+}} low[0, 0, 1] high[0, 0, 1]
//       CHECK: %[[Y:.+]] = "sparse.contract"
//   CHECK-NOT: sparse.contract
//       CHECK: return %[[Y]]
func.func @main(%x: tensor<1x8x32xf32>, %w3: tensor<8x8x3xf32> {sparse.name = "w3"},
                %w1: tensor<8x8x1xf32> {sparse.name = "w1"}) -> tensor<1x8x32xf32> {
  %zero = arith.constant 0.0 : f32
  %padded = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<1x8x32xf32> to tensor<1x8x34xf32>
  %a = "sparse.contract"(%padded, %w3) {maps = [#x1, #w, #y], bounds = array<i64: 1, 8, 32, 8, 3>} : (tensor<1x8x34xf32>, tensor<8x8x3xf32>) -> tensor<1x8x32xf32>
  %b = "sparse.contract"(%x, %w1) {maps = [#x1, #w, #y], bounds = array<i64: 1, 8, 32, 8, 1>} : (tensor<1x8x32xf32>, tensor<8x8x1xf32>) -> tensor<1x8x32xf32>
  %e = tensor.empty() : tensor<1x8x32xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a, %b : tensor<1x8x32xf32>, tensor<1x8x32xf32>) outs(%e : tensor<1x8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %sum = arith.addf %l, %r : f32
    linalg.yield %sum : f32
  } -> tensor<1x8x32xf32>
  %t = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %x : tensor<1x8x32xf32>, tensor<1x8x32xf32>) outs(%e : tensor<1x8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %sum = arith.addf %l, %r : f32
    linalg.yield %sum : f32
  } -> tensor<1x8x32xf32>
  return %t : tensor<1x8x32xf32>
}

// -----

// What is computed at run time is not rounded in another order without fast-math: nothing changes.

#id = affine_map<(p) -> (p)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME: algebra.flops = "24 -> 24"
//  CHECK-SAME: algebra.rules = ""
//       CHECK: %[[AC:.+]] = arith.mulf
//       CHECK: %[[AB:.+]] = arith.mulf
//       CHECK: arith.addf %[[AC]], %[[AB]]
func.func @main(%a: tensor<8xf32>, %b: tensor<8xf32>, %c: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]}
      ins(%a, %b, %c : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32, %o: f32):
    %uw = arith.mulf %u, %w : f32
    %uv = arith.mulf %u, %v : f32
    %sum = arith.addf %uw, %uv : f32
    linalg.yield %sum : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}
