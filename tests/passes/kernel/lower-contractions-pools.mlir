// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd,pack-weights,assign-arena,lower-contractions | FileCheck %s

#x = affine_map<(f, d, w, c, k) -> (d, w + k, c)>
#w = affine_map<(f, d, w, c, k) -> (f, c, k)>
#y = affine_map<(f, d, w, c, k) -> (d, w, f)>
#in = affine_map<(d, w, f, i, j) -> (d * 2 + i, w * 2 + j, f)>
#window = affine_map<(d, w, f, i, j) -> (i, j)>
#out = affine_map<(d, w, f, i, j) -> (d, w, f)>

// A tile of four pixels is two windows, of two lines that it takes one after the other.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kind = "gather-gemm"
//  CHECK-SAME:   tile = "1x8 rows, 4 pixels"
//       CHECK: %[[WINDOWS:.+]] = memref.alloca() : memref<16xf32>
//       CHECK: scf.for %[[LINE:.+]] = %{{.+}} to %{{.+}} step %{{.+}} {
//       CHECK:   scf.for {{.+}} iter_args(
// CHECK-COUNT-4: math.fma
//       CHECK:   %[[A:.+]] = vector.load %[[WINDOWS]]
//       CHECK:   %[[B:.+]] = arith.maximumf %{{.+}}, %[[A]]
//       CHECK:   %[[C:.+]] = arith.maximumf %{{.+}}, %[[B]]
//       CHECK:   vector.store %[[C]], %[[WINDOWS]]
//       CHECK:   vector.load %[[WINDOWS]]
//       CHECK:   vector.store %{{.+}}, %[[WINDOWS]]
//       CHECK: vector.load %[[WINDOWS]]
// CHECK-COUNT-2: vector.store
//   CHECK-NOT: vector.store
func.func @main(%x: tensor<4x6x4xf32>, %w: tensor<8x4x3xf32> {sparse.name = "w"}) -> tensor<2x2x8xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<2x2x8xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 4, 4, 4, 3>}
      : (tensor<4x6x4xf32>, tensor<8x4x3xf32>) -> tensor<4x4x8xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<4x4x8xf32>, tensor<2x2xf32>) outs(%low : tensor<2x2x8xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<2x2x8xf32>
  return %p : tensor<2x2x8xf32>
}

// -----

#x = affine_map<(f, d, w, c) -> (c, d, w)>
#w = affine_map<(f, d, w, c) -> (f, c)>
#y = affine_map<(f, d, w, c) -> (f, d, w)>
#in = affine_map<(f, d, w, j) -> (f, d, w * 2 + j)>
#window = affine_map<(f, d, w, j) -> (j)>
#out = affine_map<(f, d, w, j) -> (f, d, w)>

// With registers along pixels those of both places in a window are sorted.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   tile = "2 rows, 4x8 pixels"
//       CHECK: math.fma
//       CHECK: vector.shuffle %[[A:[^ ,]+]], %[[B:[^ ,]+]] [0, 2, 4, 6, 8, 10, 12, 14]
//       CHECK: vector.shuffle %[[A]], %[[B]] [1, 3, 5, 7, 9, 11, 13, 15]
//       CHECK: arith.maximumf
//       CHECK: arith.maximumf
func.func @main(%x: tensor<4x6x32xf32>, %w: tensor<2x4xf32> {sparse.name = "w"}) -> tensor<2x6x16xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<2x6x16xf32>
  %window = tensor.empty() : tensor<2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 6, 32, 4>}
      : (tensor<4x6x32xf32>, tensor<2x4xf32>) -> tensor<2x6x32xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%c, %window : tensor<2x6x32xf32>, tensor<2xf32>) outs(%low : tensor<2x6x16xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<2x6x16xf32>
  return %p : tensor<2x6x16xf32>
}

// -----

#x = affine_map<(f, h, w, c) -> (h, w, c)>
#w = affine_map<(f, h, w, c) -> (f, c)>
#y = affine_map<(f, h, w, c) -> (h, w, f)>
#in = affine_map<(h, w, f, i, j) -> (h * 2 + i, w * 2 + j, f)>
#window = affine_map<(h, w, f, i, j) -> (i, j)>
#out = affine_map<(h, w, f, i, j) -> (h, w, f)>

// Of the windows at the border of a padded image only the points that there are: the first line of windows begins with its second
// line, and the tile, a whole line of pixels, with a window of one.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   tile = "1x8 rows, 3 pixels"
//       CHECK: scf.for
//       CHECK: scf.for %[[LINES:.+]] = %
//       CHECK:   %[[TWICE:.+]] = arith.muli %[[LINES]], %
//       CHECK:   %[[FIRST:.+]] = arith.addi %{{.+}}, %{{.+}}
//       CHECK:   %[[BEFORE:.+]] = arith.muli %[[FIRST]], %
//       CHECK:   %[[LOW:.+]] = arith.maxsi %[[BEFORE]], %
//       CHECK:   %[[HIGH:.+]] = arith.minsi
//       CHECK:   scf.for %{{.+}} = %[[LOW]] to %[[HIGH]] step
//       CHECK:     %[[SUMS:.+]]:3 = scf.for {{.+}} iter_args(
//       CHECK:     %[[A:.+]] = arith.maximumf %[[SUMS]]#0, %
//       CHECK:     vector.store %[[A]]
//       CHECK:     %[[B:.+]] = arith.maximumf %[[SUMS]]#1, %
//       CHECK:     %[[C:.+]] = arith.maximumf %[[SUMS]]#2, %[[B]]
//       CHECK:     vector.store %[[C]]
func.func @main(%x: tensor<3x3x64xf32>, %w: tensor<8x64xf32> {sparse.name = "w"}) -> tensor<2x2x8xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<2x2x8xf32>
  %infinite = arith.constant 0xFF800000 : f32
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 3, 3, 64>}
      : (tensor<3x3x64xf32>, tensor<8x64xf32>) -> tensor<3x3x8xf32>
  %q = tensor.pad %c low[1, 1, 0] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %infinite : f32
  } : tensor<3x3x8xf32> to tensor<4x4x8xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%q, %window : tensor<4x4x8xf32>, tensor<2x2xf32>) outs(%low : tensor<2x2x8xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<2x2x8xf32>
  return %p : tensor<2x2x8xf32>
}
