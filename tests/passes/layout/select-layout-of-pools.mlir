// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout | FileCheck %s

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * 2 + i, w * 2 + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>

// Minimal filtering has to compute a convolution whose kernel pools, and wants the channels of its input contiguous: the
// model's input is copied.

//   CHECK-DAG: #[[CHANNELS:.+]] = affine_map<(d0, d1, d2, d3) -> (d0 * 61504 + d1 + d2 * 1984 + d3 * 64)>
// CHECK-LABEL: func.func @main
//       CHECK: %[[X:.+]] = call @[[COPY:.+]](%arg0) {layout.copy = "a kernel that pools by minimal filtering reads channels that are contiguous"}
//       CHECK: call @group_0(%[[X]]
//       CHECK: func.func private @group_0(%{{[^:]+}}: tensor<1x64x31x31xf32> {layout.map = #layout.map<#[[CHANNELS]]
func.func @main(%x: tensor<1x64x31x31xf32>, %w: tensor<64x64x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x14x14xf32> {
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
  return %p : tensor<1x64x14x14xf32>
}
