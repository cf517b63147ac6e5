// RUN: cocomp-opt %s --split-input-file -target=vulkan -p plan-fusion,form-groups,select-layout{gather=true},build-plan,shade-loops,bind-texels | FileCheck %s

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

// Every invocation fills a few cells of the border: one in each of the two boxes of four.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.grid = array<i64: 1, 1, 1>
//  CHECK-SAME:   kernel.workgroup = 16
//       CHECK: scf.if
//       CHECK:   memref.store
// CHECK-COUNT-2: arith.cmpi ult, {{.*}}, %c4
func.func @main(%x: tensor<4x3xf32>) -> tensor<4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<4x3xf32> to tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// Where the border is made of texels it is written four elements at a time.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.bindings = ["quads f32", "written f32"]
//   CHECK-NOT: memref.store
// CHECK-COUNT-3: spirv.ImageWrite
func.func @main(%x: tensor<4x8xf32>) -> tensor<6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<4x8xf32> to tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}
