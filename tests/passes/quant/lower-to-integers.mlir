// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'quantise-weights,quantise-activations,lower-to-integers' | FileCheck %s
// RUN: not cocomp-opt %s -target=linux-x86-64 --random-weights -p 'lower-to-integers{weights=int4}' 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not cocomp-opt %s -target=linux-x86-64 --random-weights -p 'lower-to-integers' 2>&1 | FileCheck %s --check-prefix=FLOATS
// RUN: not cocomp-opt %s -p 'lower-to-integers' 2>&1 | FileCheck %s --check-prefix=INPUTS

// A product takes bias, clamping and rounding with it; what reads two tensors is a sweep, a function of one integer a table.

#x = affine_map<(f, p, c) -> (c, p)>
#w = affine_map<(f, p, c) -> (f, c)>
#y = affine_map<(f, p, c) -> (f, p)>
#i = affine_map<(f, p) -> (f, p)>
#b = affine_map<(f, p) -> (f)>

//   NONE: pass 'lower-to-integers': unknown quantiser 'int4'
// FLOATS: is not on the levels of fixed<4>: expected --quantize
// INPUTS: expected example inputs to measure activations with

// CHECK-LABEL: func.func @main(%arg0: tensor<8x4xsi8> {hls.scale = {{.+}} : f64}) -> (tensor<8x4xsi{{[0-9]+}}> {hls.scale = {{.+}} : f64})
//       CHECK: %[[P:.+]] = "hls.product"(%arg0) {{.*}}rows = array<i64: 0>, {{.*}}weights = {{.+}} : (tensor<8x4xsi8>) -> tensor<8x4xui4>
//       CHECK: %[[Q:.+]] = "hls.product"(%[[P]]) {{.*}} : (tensor<8x4xui4>) -> tensor<8x4xsi16>
//   CHECK-DAG: %[[S:.+]] = "hls.read"(%[[Q]])
//   CHECK-DAG: %[[T:.+]] = "hls.read"(%[[P]])
//       CHECK: "hls.sweep"
//       CHECK:   arith.addi
//       CHECK:   "hls.table"
//       CHECK:   "hls.yield"
//       CHECK: combine = "none"
//   CHECK-NOT: sparse.contract
func.func @main(%x: tensor<8x4xf32>, %w: tensor<8x8xf32> {sparse.name = "w"}, %b: tensor<8xf32> {sparse.name = "b"}) -> tensor<8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x4xf32>
  %p = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 4, 8>}
      : (tensor<8x4xf32>, tensor<8x8xf32>) -> tensor<8x4xf32>
  %r = linalg.generic {indexing_maps = [#i, #b, #i], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b : tensor<8x4xf32>, tensor<8xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %s = arith.addf %u, %v : f32
    %m = arith.maximumf %s, %zero : f32
    linalg.yield %m : f32
  } -> tensor<8x4xf32>
  %q = "sparse.contract"(%r, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 4, 8>}
      : (tensor<8x4xf32>, tensor<8x8xf32>) -> tensor<8x4xf32>
  %t = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%q, %r : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %s = arith.addf %u, %v : f32
    %m = math.tanh %s : f32
    linalg.yield %m : f32
  } -> tensor<8x4xf32>
  return %t : tensor<8x4xf32>
}
