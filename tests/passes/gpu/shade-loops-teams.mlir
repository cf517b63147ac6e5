// RUN: cocomp-opt %s --split-input-file -target=vulkan -mcpu=desktop -p plan-fusion,form-groups,select-layout{gather=true},build-plan,shade-loops,bind-texels | FileCheck %s

// Seven long rows: a workgroup for each. Neighbours read neighbouring texels and add up what they found in shared memory.

#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   vector = "a point for 64 invocations"
//  CHECK-SAME:   kernel.grid = array<i64: 1, 7, 1>
//  CHECK-SAME:   kernel.workgroup = 64
//   CHECK-DAG: %[[ROW:.*]] = gpu.block_id y
//   CHECK-DAG: %[[LANE:.*]] = gpu.thread_id x
//       CHECK: %[[PART:.*]] = arith.remui %[[LANE]], %c64
//       CHECK: %[[SUM:.*]] = scf.for {{.*}} = %[[PART]] to %c256{{.*}} step %c64{{.*}} -> (vector<4xf32>)
//       CHECK:   spirv.ImageFetch
// CHECK-COUNT-3: arith.addf
//       CHECK: memref.store {{.*}} : memref<64xf32, #spirv.storage_class<Workgroup>>
//       CHECK: gpu.barrier
//       CHECK: arith.cmpi ult, %[[PART]], %c32
//       CHECK: scf.if
//   CHECK-NOT:   gpu.barrier
//       CHECK:   memref.store
//       CHECK: }
// CHECK-COUNT-5: gpu.barrier
//       CHECK: memref.load {{.*}} : memref<64xf32, #spirv.storage_class<Workgroup>>
//       CHECK: gpu.barrier
//       CHECK: arith.cmpi eq, %[[PART]], %c0
//  CHECK-NEXT: scf.if
//       CHECK:   memref.store
func.func @main(%x: tensor<7x1024xf32>) -> tensor<7xf32> {
  %z = arith.constant dense<0.0> : tensor<7xf32>
  %y = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<7x1024xf32>) outs(%z : tensor<7xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  } -> tensor<7xf32>
  return %y : tensor<7xf32>
}

// -----

// Columns: neighbours have neighbouring columns, four each. The last workgroup has fewer: who is beyond does the last column again, and
// does not write it.

#full = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   vector = "four points for 16 invocations"
//  CHECK-SAME:   kernel.grid = array<i64: 1, 2, 1>
//       CHECK: %[[LANE:.*]] = gpu.thread_id x
//       CHECK: %[[PART:.*]] = arith.divui %[[LANE]], %c4
//       CHECK: %[[COLUMN:.*]] = arith.remui %[[LANE]], %c4
//       CHECK: %[[INSIDE:.*]] = arith.cmpi ult, {{.*}}, %c5
//       CHECK: arith.minsi
//       CHECK: scf.for {{.*}} = %[[PART]] to %c40{{.*}} step %c16{{.*}} -> (vector<4xf32>)
//       CHECK: memref.store {{.*}} : memref<64xvector<4xf32>, #spirv.storage_class<Workgroup>>
// CHECK-COUNT-6: gpu.barrier
//       CHECK: scf.if %[[INSIDE]]
//       CHECK:   spirv.ImageWrite
func.func @main(%x: tensor<40x20xf32>) -> tensor<20xf32> {
  %z = arith.constant dense<0.0> : tensor<20xf32>
  %y = linalg.generic {indexing_maps = [#full, #column], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<40x20xf32>) outs(%z : tensor<20xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  } -> tensor<20xf32>
  return %y : tensor<20xf32>
}

// -----

// Short rows are nothing to share.

#full = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   vector = "a point an invocation"
//   CHECK-NOT: gpu.barrier
func.func @main(%x: tensor<7x12xf32>) -> tensor<7xf32> {
  %z = arith.constant dense<0.0> : tensor<7xf32>
  %y = linalg.generic {indexing_maps = [#full, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<7x12xf32>) outs(%z : tensor<7xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  } -> tensor<7xf32>
  return %y : tensor<7xf32>
}
