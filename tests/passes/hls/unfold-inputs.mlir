// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'quantise-weights,quantise-activations,lower-to-integers,unfold-inputs' | FileCheck %s

// Three channels beside nine taps are copied into lines of 27, taps of a line of the window side by side as in the tensor; sixteen channels are
// read in place.

#x = affine_map<(n, f, h, v, c, a, b) -> (n, c, h + a, v + b)>
#w = affine_map<(n, f, h, v, c, a, b) -> (f, c, a, b)>
#y = affine_map<(n, f, h, v, c, a, b) -> (n, f, h, v)>

//       CHECK: affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3 * 9 + d4 * 3 + d5)>
// CHECK-LABEL: func.func @main
//       CHECK: %[[R:.+]] = "hls.read"(%arg0) {{.*}}fill = 0
//       CHECK: %[[M:.+]] = "hls.sweep"(%[[R]])
//       CHECK: -> tensor<1x6x6x27xsi8>
//       CHECK: %[[P:.+]] = "hls.product"(%[[M]]) {bounds = array<i64: 16, 1, 6, 6, 27>, columns = array<i64: 4>{{.*}}:unfolded"
//       CHECK: "hls.product"(%{{.+}}) {bounds = array<i64: 1, 8, 4, 4, 16, 3, 3>
func.func @main(%x: tensor<1x3x8x8xf32>, %w: tensor<16x3x3x3xf32> {sparse.name = "w"}, %v: tensor<8x16x3x3xf32> {sparse.name = "v"}) -> tensor<1x8x4x4xf32> {
  %p = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 16, 6, 6, 3, 3, 3>}
      : (tensor<1x3x8x8xf32>, tensor<16x3x3x3xf32>) -> tensor<1x16x6x6xf32>
  %q = "sparse.contract"(%p, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 8, 4, 4, 16, 3, 3>}
      : (tensor<1x16x6x6xf32>, tensor<8x16x3x3xf32>) -> tensor<1x8x4x4xf32>
  return %q : tensor<1x8x4x4xf32>
}
