// RUN: cocomp-opt %s --random-weights --split-input-file -p 'prune-weights{encoding=csr rate=10},reorder-rows' | FileCheck %s
// RUN: cocomp-opt %s --random-weights --split-input-file -p 'reorder-rows' | FileCheck %s --check-prefix=DENSE

// DENSE-NOT: reordered

// The rows of w are permuted, and with them the bias, the depth-wise filters, and the columns of v, across a pad and an
// addition. The result of v is the model's.

#x = affine_map<(n, f, i, j, c) -> (n, c, i, j)>
#w = affine_map<(n, f, i, j, c) -> (f, c)>
#y = affine_map<(n, f, i, j, c) -> (n, f, i, j)>
#dx = affine_map<(n, f, i, j, k, l) -> (n, f, i + k, j + l)>
#dw = affine_map<(n, f, i, j, k, l) -> (f, 0, k, l)>
#dy = affine_map<(n, f, i, j, k, l) -> (n, f, i, j)>
#all = affine_map<(n, f, i, j) -> (n, f, i, j)>
#channel = affine_map<(n, f, i, j) -> (f)>

// CHECK-LABEL: func.func @main
//  CHECK-SAME:   %{{[^:]+}}: tensor<64x16xf32> {sparse.name = "w:pruned:reordered"}
//  CHECK-SAME:   %{{[^:]+}}: tensor<64xf32> {sparse.name = "bias:reordered"}
//  CHECK-SAME:   %{{[^:]+}}: tensor<64x1x3x3xf32> {sparse.name = "d:pruned:reordered"}
//  CHECK-SAME:   %{{[^:]+}}: tensor<64x16xf32> {sparse.name = "u:pruned:reordered"}
//  CHECK-SAME:   %{{[^:]+}}: tensor<16x64xf32> {sparse.name = "v:pruned:reordered"}
func.func @main(%x: tensor<1x16x4x4xf32>, %w: tensor<64x16xf32> {sparse.name = "w"}, %bias: tensor<64xf32> {sparse.name = "bias"},
                %d: tensor<64x1x3x3xf32> {sparse.name = "d"}, %u: tensor<64x16xf32> {sparse.name = "u"},
                %v: tensor<16x64xf32> {sparse.name = "v"}) -> tensor<1x16x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x64x4x4xf32>
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 4, 4, 16>}
      : (tensor<1x16x4x4xf32>, tensor<64x16xf32>) -> tensor<1x64x4x4xf32>
  %b = linalg.generic {indexing_maps = [#all, #channel, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%a, %bias : tensor<1x64x4x4xf32>, tensor<64xf32>) outs(%empty : tensor<1x64x4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<1x64x4x4xf32>
  %padded = tensor.pad %b low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x64x4x4xf32> to tensor<1x64x6x6xf32>
  %c = "sparse.contract"(%padded, %d) {maps = [#dx, #dw, #dy], bounds = array<i64: 1, 64, 4, 4, 3, 3>}
      : (tensor<1x64x6x6xf32>, tensor<64x1x3x3xf32>) -> tensor<1x64x4x4xf32>
  %e = "sparse.contract"(%x, %u) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 4, 4, 16>}
      : (tensor<1x16x4x4xf32>, tensor<64x16xf32>) -> tensor<1x64x4x4xf32>
  %f = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %e : tensor<1x64x4x4xf32>, tensor<1x64x4x4xf32>) outs(%empty : tensor<1x64x4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<1x64x4x4xf32>
  %y = "sparse.contract"(%f, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 16, 4, 4, 64>}
      : (tensor<1x64x4x4xf32>, tensor<16x64xf32>) -> tensor<1x16x4x4xf32>
  return %y : tensor<1x16x4x4xf32>
}

// -----

// Channels that the model returns stay where they are.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func @main
//   CHECK-NOT: reordered
//       CHECK: return
func.func @main(%x: tensor<2x16xf32>, %w: tensor<64x16xf32> {sparse.name = "w"}) -> tensor<2x64xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 64, 16>}
      : (tensor<2x16xf32>, tensor<64x16xf32>) -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}
