// RUN: cocomp-opt %s -target=vulkan --random-weights -p encode-weights,plan-fusion,form-groups,select-layout{gather=true} | FileCheck %s

// A GPU reads texels: the three channels that a convolution adds up become neighbours, in a texel of their own.

#x = affine_map<(f, i, j, c, h, w) -> (c, i + h, j + w)>
#w = affine_map<(f, i, j, c, h, w) -> (f, c, h, w)>
#y = affine_map<(f, i, j, c, h, w) -> (f, i, j)>

// CHECK-DAG: #[[TEXELS:.+]] = affine_map<(d0, d1, d2) -> (d0 + d1 * 40 + d2 * 4)>
//     CHECK: func.func private @group_0({{.*}}) -> (tensor<3x10x10xf32> {layout.map = #layout.map<#[[TEXELS]], 400
//     CHECK: func.func private @group_1(%{{.+}}: tensor<3x10x10xf32> {layout.map = #layout.map<#[[TEXELS]], 400
func.func @main(%x: tensor<3x8x8xf32>, %w: tensor<16x3x3x3xf32> {sparse.name = "w"}) -> tensor<16x8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1] high[0, 1, 1] {
  ^bb0(%c: index, %i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<3x8x8xf32> to tensor<3x10x10xf32>
  %y = "sparse.contract"(%p, %w) {maps = [#x, #w, #y], bounds = array<i64: 16, 8, 8, 3, 3, 3>} : (tensor<3x10x10xf32>, tensor<16x3x3x3xf32>) -> tensor<16x8x8xf32>
  return %y : tensor<16x8x8xf32>
}
