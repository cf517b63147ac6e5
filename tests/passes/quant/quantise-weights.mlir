// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'quantise-weights{weights=rmsmp:50:25:25}' --save-weights %t.safetensors | FileCheck %s
// RUN: python %S/levels.py %t.safetensors --check
// RUN: python %S/levels.py %t.safetensors %t.again.safetensors
// RUN: cocomp-opt %s -target=linux-x86-64 --weights %t.again.safetensors -p 'quantise-weights{weights=rmsmp:50:25:25}' | FileCheck %s --check-prefix=AGAIN
// RUN: not cocomp-opt %s --random-weights -p 'quantise-weights{weights=int4}' 2>&1 | FileCheck %s --check-prefix=NONE

// Rows of the weights of contractions are rounded, one that two read once; what only is added stays.

#x = affine_map<(f, p, c) -> (c, p)>
#w = affine_map<(f, p, c) -> (f, c)>
#y = affine_map<(f, p, c) -> (f, p)>
#i = affine_map<(f, p) -> (f, p)>
#b = affine_map<(f, p) -> (f)>

// NONE: pass 'quantise-weights': unknown quantiser 'int4': expected one of fixed<bits>, pot<bits>

// CHECK-LABEL: func.func @main
//  CHECK-SAME: {sparse.name = "w:quantised"}
//  CHECK-SAME: {sparse.name = "b"}

// Rows that are on levels already are found.
// AGAIN-LABEL: func.func @main
//  AGAIN-SAME: {sparse.name = "w"}
func.func @main(%x: tensor<16x4xf32>, %w: tensor<16x16xf32> {sparse.name = "w"}, %b: tensor<16xf32> {sparse.name = "b"}) -> tensor<16x4xf32> {
  %p = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 16, 4, 16>}
      : (tensor<16x4xf32>, tensor<16x16xf32>) -> tensor<16x4xf32>
  %q = "sparse.contract"(%p, %w) {maps = [#x, #w, #y], bounds = array<i64: 16, 4, 16>}
      : (tensor<16x4xf32>, tensor<16x16xf32>) -> tensor<16x4xf32>
  %e = tensor.empty() : tensor<16x4xf32>
  %r = linalg.generic {indexing_maps = [#i, #b, #i], iterator_types = ["parallel", "parallel"]}
      ins(%q, %b : tensor<16x4xf32>, tensor<16xf32>) outs(%e : tensor<16x4xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %s = arith.addf %u, %v : f32
    linalg.yield %s : f32
  } -> tensor<16x4xf32>
  return %r : tensor<16x4xf32>
}
