// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 -mcpu=x86-64-v4 --random-weights -p 'prune-weights{encoding=csr rate=20},split-strides' | FileCheck %s
// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 -mcpu=x86-64-v4 --random-weights -p 'prune-weights{encoding=csr rate=20},split-strides,encode-weights,eliminate-layout-transforms,plan-fusion,form-groups' | FileCheck %s --check-prefix=GROUP

// Of a weight with zeros the kernel reads pixels that are neighbours: every second one becomes a plane, whose order stays that of
// the pixels. One tap in front makes the padding of one a multiple of the stride.

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h * 2 + kh, w * 2 + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

//   CHECK-DAG: #[[MOVE:.+]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 + d4 * 2, d3 + d5 * 2)>
// CHECK-LABEL: func.func @main
//  CHECK-SAME: tensor<1024x1024x2x2xf32> {sparse.name = "w:pruned:split"}
//       CHECK: %[[MOVED:.+]] = linalg.generic {indexing_maps = [#[[MOVE]], {{.+}}} ins(%arg0 : {{.+}}) outs({{.+}} : tensor<1x256x2x2x14x14xf32>)
//       CHECK: %[[JOINED:.+]] = tensor.collapse_shape %[[MOVED]] {{.+}} into tensor<1x1024x14x14xf32>
//       CHECK: %[[PADDED:.+]] = tensor.pad %[[JOINED]] low[0, 0, 1, 1] high[0, 0, 0, 0]
//       CHECK: "sparse.contract"(%[[PADDED]], {{.+}}) {bounds = array<i64: 1, 1024, 14, 14, 1024, 2, 2>
func.func @main(%x: tensor<1x256x28x28xf32>, %w: tensor<1024x256x3x3xf32> {sparse.name = "w"}) -> tensor<1x1024x14x14xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x256x28x28xf32> to tensor<1x256x30x30xf32>
  %y = "sparse.contract"(%p, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 1024, 14, 14, 256, 3, 3>}
      : (tensor<1x256x30x30xf32>, tensor<1024x256x3x3xf32>) -> tensor<1x1024x14x14xf32>
  return %y : tensor<1x1024x14x14xf32>
}

// -----

// One tap reads one of the four places: the others are not copied. The copy has a kernel of its own, it is no view to read through.

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h * 2 + kh, w * 2 + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic {{.+}} ins(%arg0 : {{.+}}) outs({{.+}} : tensor<1x256x1x1x28x28xf32>)
//       CHECK: bounds = array<i64: 1, 512, 28, 28, 256, 1, 1>
// GROUP-LABEL: func.func private @group_0(%arg0: tensor<1x256x56x56xf32>)
//       GROUP: tensor<1x256x1x1x28x28xf32>
// GROUP-LABEL: func.func private @group_1(
//       GROUP: "sparse.contract"
func.func @main(%x: tensor<1x256x56x56xf32>, %w: tensor<512x256x1x1xf32> {sparse.name = "w"}) -> tensor<1x512x28x28xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 512, 28, 28, 256, 1, 1>}
      : (tensor<1x256x56x56xf32>, tensor<512x256x1x1xf32>) -> tensor<1x512x28x28xf32>
  return %y : tensor<1x512x28x28xf32>
}

// -----

// An odd extent would have to be padded by a kernel of its own.

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h * 2 + kh, w * 2 + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// CHECK-LABEL: func.func @main
//   CHECK-NOT: linalg.generic
//       CHECK: "sparse.contract"(%arg0,
func.func @main(%x: tensor<1x256x57x57xf32>, %w: tensor<512x256x1x1xf32> {sparse.name = "w"}) -> tensor<1x512x29x29xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 512, 29, 29, 256, 1, 1>}
      : (tensor<1x256x57x57xf32>, tensor<512x256x1x1xf32>) -> tensor<1x512x29x29xf32>
  return %y : tensor<1x512x29x29xf32>
}
