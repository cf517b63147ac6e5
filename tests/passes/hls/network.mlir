// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'quantise-weights' -o /dev/null
// A convolution and a linear layer, for the tests beside this file.
#x = affine_map<(n, f, h, v, c, a, b) -> (n, c, h + a, v + b)>
#w = affine_map<(n, f, h, v, c, a, b) -> (f, c, a, b)>
#y = affine_map<(n, f, h, v, c, a, b) -> (n, f, h, v)>
#i = affine_map<(n, f, h, v) -> (n, f, h, v)>
func.func @main(%x: tensor<1x16x6x6xf32>, %w: tensor<24x16x3x3xf32> {sparse.name = "w"}, %v: tensor<8x24x3x3xf32> {sparse.name = "v"}) -> tensor<1x8x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x24x4x4xf32>
  %p = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 24, 4, 4, 16, 3, 3>}
      : (tensor<1x16x6x6xf32>, tensor<24x16x3x3xf32>) -> tensor<1x24x4x4xf32>
  %r = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%p : tensor<1x24x4x4xf32>) outs(%e : tensor<1x24x4x4xf32>) {
  ^bb0(%u: f32, %o: f32):
    %m = arith.maximumf %u, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x24x4x4xf32>
  %q = "sparse.contract"(%r, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 8, 2, 2, 24, 3, 3>}
      : (tensor<1x24x4x4xf32>, tensor<8x24x3x3xf32>) -> tensor<1x8x2x2xf32>
  return %q : tensor<1x8x2x2xf32>
}
