// RUN: cocomp-opt %s -p 'unfold-inputs' | FileCheck %s

// Three channels beside nine taps are copied into lines of 27; sixteen channels are read in place.

#w = affine_map<(n, f, h, v, c, a, b) -> (n, c, h + a - 1, v + b - 1)>
#y = affine_map<(n, f, h, v, c, a, b) -> (n, f, h, v)>

// CHECK-LABEL: func.func @main
//       CHECK: %[[R:.+]] = "hls.read"(%arg0) {{.*}}fill = 0
//       CHECK: %[[M:.+]] = "hls.sweep"(%[[R]])
//       CHECK: -> tensor<1x6x6x27xui4>
//       CHECK: %[[P:.+]] = "hls.product"(%[[M]]) {bounds = array<i64: 16, 1, 6, 6, 27>, columns = array<i64: 4>
//       CHECK: "hls.product"(%[[P]]) {bounds = array<i64: 1, 16, 6, 6, 16, 3, 3>
func.func @main(%x: tensor<1x3x6x6xui4>) -> tensor<1x16x6x6xui4> {
  %p = "hls.product"(%x) {maps = [#w, #y], bounds = array<i64: 1, 16, 6, 6, 3, 3, 3>, rows = array<i64: 1>, columns = array<i64: 5, 6, 4>, fill = 0 : i64,
       weights = "w", quantisers = ["pot<4>", "fixed<4>", "fixed<8>"], scale = 1.0 : f64} : (tensor<1x3x6x6xui4>) -> tensor<1x16x6x6xui4>
  %q = "hls.product"(%p) {maps = [#w, #y], bounds = array<i64: 1, 16, 6, 6, 16, 3, 3>, rows = array<i64: 1>, columns = array<i64: 5, 6, 4>, fill = 0 : i64,
       weights = "v", quantisers = ["pot<4>", "fixed<4>", "fixed<8>"], scale = 1.0 : f64} : (tensor<1x16x6x6xui4>) -> tensor<1x16x6x6xui4>
  return %q : tensor<1x16x6x6xui4>
}
