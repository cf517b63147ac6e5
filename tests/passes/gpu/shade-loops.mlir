// RUN: cocomp-opt %s --split-input-file -target=vulkan -p plan-fusion,form-groups,select-layout{gather=true},build-plan,shade-loops | FileCheck %s

// A texel an invocation: 1024 elements are four workgroups of 64.

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.grid = array<i64: 4, 1, 1>
//  CHECK-SAME:   kernel.workgroup = 64
//       CHECK: gpu.block_id x
//       CHECK: gpu.thread_id x
//       CHECK: spirv.ImageFetch
//       CHECK: arith.addf {{.*}} : vector<4xf32>
//       CHECK: spirv.ImageWrite
func.func @main(%x: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %e = tensor.empty() : tensor<32x32xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<32x32xf32>
  return %y : tensor<32x32xf32>
}

// -----

// A reduction over neighbours in memory has four partial sums.

#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kind = "reduction"
//       CHECK: scf.for {{.*}} step %c4{{.*}} iter_args({{.*}}) -> (vector<4xf32>)
//       CHECK:   spirv.ImageFetch
//       CHECK:   arith.addf {{.*}} : vector<4xf32>
// CHECK-COUNT-4: vector.extract
func.func @main(%x: tensor<7x32xf32>) -> tensor<7xf32> {
  %zero = arith.constant 0.0 : f32
  %z = arith.constant dense<0.0> : tensor<7xf32>
  %y = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<7x32xf32>) outs(%z : tensor<7xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  } -> tensor<7xf32>
  return %y : tensor<7xf32>
}

// -----

// The border is filled by workgroups of their own: two cells each of the inside's row.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.grid = array<i64: 1, 2, 1>
//       CHECK: gpu.block_id y
//       CHECK: scf.if
//       CHECK: scf.if
//       CHECK:   memref.store
func.func @main(%x: tensor<4x3xf32>) -> tensor<4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<4x3xf32> to tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}
