// RUN: cocomp-opt %s --split-input-file -target=vulkan -p plan-fusion,form-groups,place-groups{fallback=cpu} | FileCheck %s
// RUN: cocomp-opt %s --split-input-file -target=vulkan -p plan-fusion,form-groups,place-groups --verify-diagnostics

// A scan is the CPU's. What is made of its result is the GPU's.

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.on_cpu = "operation 'tm_tensor.scan' is not supported on GPUs"
// CHECK-LABEL: func.func private @group_1(
//   CHECK-NOT:   kernel.on_cpu
//       CHECK: arith.addf
func.func @main(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>, %t: tensor<3xf32>) -> tensor<3x4xf32> {
  // expected-error @below {{operation 'tm_tensor.scan' is not supported on GPUs}}
  %y:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<3x4xf32>) outs(%s, %t : tensor<3x4xf32>, tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    tm_tensor.yield %c : f32
  } -> tensor<3x4xf32>, tensor<3xf32>
  %e = tensor.empty() : tensor<3x4xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y#0 : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<3x4xf32>
  return %z : tensor<3x4xf32>
}

// -----

// Element-wise operations share a kernel, but not in single and in double precision: the first is the GPU's, the other two the CPU's.

#id = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func private @group_0(
//   CHECK-NOT:   kernel.on_cpu
//       CHECK:   arith.mulf {{.*}} : f32
// CHECK-LABEL: func.func private @group_1(
//  CHECK-SAME:   kernel.on_cpu = "double precision is not supported on GPUs"
//       CHECK:   arith.extf
//       CHECK:   arith.mulf {{.*}} : f64
//   CHECK-NOT: @group_2
func.func @main(%x: tensor<4xf32>, %w: tensor<4xf64>) -> tensor<4xf64> {
  %f = tensor.empty() : tensor<4xf32>
  %e = tensor.empty() : tensor<4xf64>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.mulf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<4xf32>
  // expected-error @below {{double precision is not supported on GPUs}}
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%h : tensor<4xf32>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f32, %b: f64):
    %c = arith.extf %a : f32 to f64
    linalg.yield %c : f64
  } -> tensor<4xf64>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%d, %w : tensor<4xf64>, tensor<4xf64>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64):
    %m = arith.mulf %a, %b : f64
    linalg.yield %m : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

// A contraction of the CPU is a kernel by itself: registers there are not those that fusion counts with.

#x = affine_map<(i, j, k) -> (i, k)>
#w = affine_map<(i, j, k) -> (k, j)>
#y = affine_map<(i, j, k) -> (i, j)>
#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.on_cpu
//       CHECK:   sparse.contract
//   CHECK-NOT:   linalg.generic
// CHECK-LABEL: func.func private @group_1(
//  CHECK-SAME:   kernel.on_cpu
//       CHECK:   linalg.generic
func.func @main(%x: tensor<4x8xf64>, %w: tensor<8x16xf64>) -> tensor<4x16xf64> {
  // expected-error @below {{double precision is not supported on GPUs}}
  %p = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 4, 16, 8>} : (tensor<4x8xf64>, tensor<8x16xf64>) -> tensor<4x16xf64>
  %e = tensor.empty() : tensor<4x16xf64>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<4x16xf64>) outs(%e : tensor<4x16xf64>) {
  ^bb0(%a: f64, %b: f64):
    %c = arith.addf %a, %a : f64
    linalg.yield %c : f64
  } -> tensor<4x16xf64>
  return %z : tensor<4x16xf64>
}
