// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups | FileCheck %s

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * 2 + i, w * 2 + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>

// A pool whose windows fit the tiles of minimal filtering joins the convolution before it, and so does the border of the next one.

// CHECK-LABEL: func.func @main
//       CHECK: %[[Y:.+]] = call @group_0
//   CHECK-NOT: call
//       CHECK: return %[[Y]]
//       CHECK: func.func private @group_0
//       CHECK:   sparse.contract
//       CHECK:   arith.maximumf
//       CHECK:   tensor.pad
func.func @main(%x: tensor<1x64x31x31xf32>, %w: tensor<64x64x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x16x16xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<1x64x14x14xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 29, 29, 64, 3, 3>}
      : (tensor<1x64x31x31xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x29x29xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<1x64x29x29xf32>, tensor<2x2xf32>) outs(%low : tensor<1x64x14x14xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<1x64x14x14xf32>
  %zero = arith.constant 0.0 : f32
  %q = tensor.pad %p low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x64x14x14xf32> to tensor<1x64x16x16xf32>
  return %q : tensor<1x64x16x16xf32>
}

// -----

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * 2 + i, w * 2 + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>

// Windows that overlap need outputs of other tiles.

// CHECK-LABEL: func.func @main
//       CHECK: call @group_0
//       CHECK: call @group_1
func.func @main(%x: tensor<1x64x31x31xf32>, %w: tensor<64x64x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x14x14xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<1x64x14x14xf32>
  %window = tensor.empty() : tensor<3x3xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 29, 29, 64, 3, 3>}
      : (tensor<1x64x31x31xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x29x29xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<1x64x29x29xf32>, tensor<3x3xf32>) outs(%low : tensor<1x64x14x14xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<1x64x14x14xf32>
  return %p : tensor<1x64x14x14xf32>
}

// -----

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * 2 + i, w * 2 + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>

// Too few channels for minimal filtering: the gather-GEMM has whole windows in its tiles.

// CHECK-LABEL: func.func @main
//       CHECK: %[[Y:.+]] = call @group_0
//   CHECK-NOT: call
//       CHECK: return %[[Y]]
func.func @main(%x: tensor<1x3x30x30xf32>, %w: tensor<64x3x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x14x14xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<1x64x14x14xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 28, 28, 3, 3, 3>}
      : (tensor<1x3x30x30xf32>, tensor<64x3x3x3xf32>) -> tensor<1x64x28x28xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<1x64x28x28xf32>, tensor<2x2xf32>) outs(%low : tensor<1x64x14x14xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<1x64x14x14xf32>
  return %p : tensor<1x64x14x14xf32>
}

// -----

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * 3 + i, w * 3 + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>

// Windows that straddle the tiles of minimal filtering, which is faster than the gather-GEMM.

// CHECK-LABEL: func.func @main
//       CHECK: call @group_0
//       CHECK: call @group_1
func.func @main(%x: tensor<1x64x30x30xf32>, %w: tensor<64x64x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x9x9xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<1x64x9x9xf32>
  %window = tensor.empty() : tensor<3x3xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 28, 28, 64, 3, 3>}
      : (tensor<1x64x30x30xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x28x28xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<1x64x28x28xf32>, tensor<3x3xf32>) outs(%low : tensor<1x64x9x9xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<1x64x9x9xf32>
  return %p : tensor<1x64x9x9xf32>
}

// -----

#x = affine_map<(f, h, w, c) -> (h, w, c)>
#w = affine_map<(f, h, w, c) -> (f, c)>
#y = affine_map<(f, h, w, c) -> (h, w, f)>
#in = affine_map<(h, w, f, i, j) -> (h * 2 + i, w * 2 + j, f)>
#window = affine_map<(h, w, f, i, j) -> (i, j)>
#out = affine_map<(h, w, f, i, j) -> (h, w, f)>

// What pads windows makes no difference to a maximum: it is not computed.

// CHECK-LABEL: func.func @main
//       CHECK: %[[Y:.+]] = call @group_0
//   CHECK-NOT: call
//       CHECK: return %[[Y]]
//       CHECK: func.func private @group_0
//       CHECK:   sparse.contract
//       CHECK:   tensor.pad
//       CHECK:   arith.maximumf
func.func @main(%x: tensor<7x7x64xf32>, %w: tensor<32x64xf32> {sparse.name = "w"}) -> tensor<4x4x32xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<4x4x32xf32>
  %infinite = arith.constant 0xFF800000 : f32
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 32, 7, 7, 64>}
      : (tensor<7x7x64xf32>, tensor<32x64xf32>) -> tensor<7x7x32xf32>
  %q = tensor.pad %c low[1, 1, 0] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %infinite : f32
  } : tensor<7x7x32xf32> to tensor<8x8x32xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%q, %window : tensor<8x8x32xf32>, tensor<2x2xf32>) outs(%low : tensor<4x4x32xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<4x4x32xf32>
  return %p : tensor<4x4x32xf32>
}

// -----

#x = affine_map<(f, h, w, c) -> (h, w, c)>
#w = affine_map<(f, h, w, c) -> (f, c)>
#y = affine_map<(f, h, w, c) -> (h, w, f)>
#in = affine_map<(h, w, f, i, j) -> (h * 2 + i, w * 2 + j, f)>
#window = affine_map<(h, w, f, i, j) -> (i, j)>
#out = affine_map<(h, w, f, i, j) -> (h, w, f)>

// Zeros do.

// CHECK-LABEL: func.func @main
//       CHECK: call @group_0
//       CHECK: call @group_1
func.func @main(%x: tensor<7x7x64xf32>, %w: tensor<32x64xf32> {sparse.name = "w"}) -> tensor<4x4x32xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<4x4x32xf32>
  %zero = arith.constant 0.0 : f32
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 32, 7, 7, 64>}
      : (tensor<7x7x64xf32>, tensor<32x64xf32>) -> tensor<7x7x32xf32>
  %q = tensor.pad %c low[1, 1, 0] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<7x7x32xf32> to tensor<8x8x32xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%q, %window : tensor<8x8x32xf32>, tensor<2x2xf32>) outs(%low : tensor<4x4x32xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<4x4x32xf32>
  return %p : tensor<4x4x32xf32>
}
