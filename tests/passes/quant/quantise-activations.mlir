// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'quantise-activations' | FileCheck %s
// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'quantise-activations,quantise-activations' | FileCheck %s
// RUN: not cocomp-opt %s --random-weights -p 'quantise-activations{bits=17}' 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not cocomp-opt %s -p 'quantise-activations' 2>&1 | FileCheck %s --check-prefix=INPUTS

// What contractions read is rounded: the input with eight bits of both signs, what follows the first one with four, before the border
// that is put around it. What is on levels stays: the second run finds nothing to do.

#x = affine_map<(f, p, c) -> (c, p)>
#w = affine_map<(f, p, c) -> (f, c)>
#y = affine_map<(f, p, c) -> (f, p)>
#i = affine_map<(f, p) -> (f, p)>

//   BITS: pass 'quantise-activations': expected bits from 2 to 16, got 17
// INPUTS: pass 'quantise-activations': expected example inputs to measure activations with

// CHECK-LABEL: func.func @main(%arg0: tensor<8x4xf32>
//       CHECK: linalg.generic {{.*}} ins(%arg0
//       CHECK:   math.roundeven
//   CHECK-DAG:   arith.constant -1.280000e+02
//   CHECK-DAG:   arith.constant 1.270000e+02
//       CHECK: %[[P:.+]] = "sparse.contract"
//       CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%[[P]]
//       CHECK:   arith.maximumf
//       CHECK: %[[Q:.+]] = linalg.generic {{.*}} ins(%[[R]]
//       CHECK:   math.roundeven
//   CHECK-DAG:   arith.constant 0.0
//   CHECK-DAG:   arith.constant 1.500000e+01
//       CHECK: tensor.pad %[[Q]]
//   CHECK-NOT: math.roundeven
func.func @main(%x: tensor<8x4xf32>, %w: tensor<8x8xf32> {sparse.name = "w"}) -> tensor<8x6xf32> {
  %zero = arith.constant 0.0 : f32
  %p = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 4, 8>}
      : (tensor<8x4xf32>, tensor<8x8xf32>) -> tensor<8x4xf32>
  %e = tensor.empty() : tensor<8x4xf32>
  %r = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%u: f32, %o: f32):
    %m = arith.maximumf %u, %zero : f32
    linalg.yield %m : f32
  } -> tensor<8x4xf32>
  %padded = tensor.pad %r low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<8x4xf32> to tensor<8x6xf32>
  %q = "sparse.contract"(%padded, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 6, 8>}
      : (tensor<8x6xf32>, tensor<8x8xf32>) -> tensor<8x6xf32>
  return %q : tensor<8x6xf32>
}
