// RUN: cocomp-opt %s -target=vulkan --random-weights -p encode-weights,select-layout{gather=true},schedule-shades,build-plan,pack-weights,shade-contractions | FileCheck %s

#x = affine_map<(f, d, w, c) -> (d, w, c)>
#w = affine_map<(f, d, w, c) -> (f, c)>
#y = affine_map<(f, d, w, c) -> (d, w, f)>
#in = affine_map<(d, w, f, i, j) -> (d * 2 + i, w * 2 + j, f)>
#window = affine_map<(d, w, f, i, j) -> (i, j)>
#out = affine_map<(d, w, f, i, j) -> (d, w, f)>

// An invocation has four pixels of a line, which are two windows, and takes one line of them after the other.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   tile = "8 rows, 4 pixels"
//       CHECK: scf.for {{.+}} iter_args(%[[A:[^ ]+]] = %{{[^ ]+}}, %{{[^ ]+}} = %{{[^ ]+}}, %{{[^ ]+}} = %{{[^ ]+}}, %{{[^ ]+}} = %{{[^ ]+}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
//       CHECK:   scf.for
//       CHECK:     arith.mulf
//       CHECK:   %[[B:.+]] = arith.maximumf %{{.+}}, %[[A]]
//       CHECK:   arith.maximumf %{{.+}}, %[[B]]
func.func @main(%x: tensor<4x4x16xf32>, %w: tensor<8x16xf32> {sparse.name = "w"}) -> tensor<2x2x8xf32> {
  %p = func.call @group_0(%x, %w) : (tensor<4x4x16xf32>, tensor<8x16xf32>) -> tensor<2x2x8xf32>
  return %p : tensor<2x2x8xf32>
}
func.func private @group_0(%x: tensor<4x4x16xf32>, %w: tensor<8x16xf32>) -> tensor<2x2x8xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<2x2x8xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 4, 4, 16>}
      : (tensor<4x4x16xf32>, tensor<8x16xf32>) -> tensor<4x4x8xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<4x4x8xf32>, tensor<2x2xf32>) outs(%low : tensor<2x2x8xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<2x2x8xf32>
  return %p : tensor<2x2x8xf32>
}
