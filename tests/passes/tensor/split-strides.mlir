// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p split-strides | FileCheck %s

// A 7x7 kernel of stride two on three channels is a 4x4 kernel of stride one on twelve; a zero tap before the first makes
// the padding of three a multiple of the stride.

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h * 2 + kh, w * 2 + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

//   CHECK-DAG: #[[MOVE:.+]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d3, d1 * 2 + d4, d2 * 2 + d5)>
//   CHECK-DAG: #[[X:.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d2 + d5, d3 + d6, d4)>
// CHECK-LABEL: func.func @main
//  CHECK-SAME: %arg2: tensor<64x12x4x4xf32, #sparse.dense> {sparse.name = "w:split"}
//       CHECK: %[[MOVED:.+]] = linalg.generic {indexing_maps = [#[[MOVE]], {{.+}}} ins(%arg0 : {{.+}}) outs({{.+}} : tensor<1x112x112x3x2x2xf32>)
//       CHECK: %[[JOINED:.+]] = tensor.collapse_shape %[[MOVED]] {{.+}} into tensor<1x112x112x12xf32>
//       CHECK: %[[PADDED:.+]] = tensor.pad %[[JOINED]] low[0, 2, 2, 0] high[0, 1, 1, 0]
//       CHECK: "sparse.contract"(%[[PADDED]], %arg2) {bounds = array<i64: 1, 64, 112, 112, 12, 4, 4>, maps = [#[[X]]
func.func @main(%x: tensor<1x3x224x224xf32>, %w: tensor<64x3x7x7xf32> {sparse.name = "w"}) -> tensor<1x64x112x112xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 3, 3] high[0, 0, 3, 3] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x3x224x224xf32> to tensor<1x3x230x230xf32>
  %y = "sparse.contract"(%p, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 112, 112, 3, 7, 7>}
      : (tensor<1x3x230x230xf32>, tensor<64x3x7x7xf32>) -> tensor<1x64x112x112xf32>
  return %y : tensor<1x64x112x112xf32>
}

// -----

// A 3x3 kernel would become one of 2x2: no less work.

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h * 2 + kh, w * 2 + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// CHECK-LABEL: func.func @main
//       CHECK: bounds = array<i64: 1, 64, 112, 112, 3, 3, 3>
func.func @main(%x: tensor<1x3x224x224xf32>, %w: tensor<64x3x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x112x112xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x3x224x224xf32> to tensor<1x3x226x226xf32>
  %y = "sparse.contract"(%p, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 112, 112, 3, 3, 3>}
      : (tensor<1x3x226x226xf32>, tensor<64x3x3x3xf32>) -> tensor<1x64x112x112xf32>
  return %y : tensor<1x64x112x112xf32>
}
