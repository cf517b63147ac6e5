// RUN: cocomp-opt %s -target=linux-x86-64 --split-input-file -p plan-fusion,form-groups,select-layout,build-plan,assign-arena,lower-loops | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>

// Both dimensions are one in memory: two whole registers and a masked one.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   memref<19xf32>
//  CHECK-SAME:   kernel.facts = {kind = "pointwise", vector = "8 lanes"}
//  CHECK-SAME:   kernel.tasks = 1
//       CHECK: vector.load {{.*}} vector<8xf32>
//       CHECK: arith.negf {{.*}} : vector<8xf32>
//       CHECK: vector.store
//       CHECK: vector.maskedload
//       CHECK: vector.maskedstore
func.func @main(%x: tensor<1x19xf32>) -> tensor<1x19xf32> {
  %e = tensor.empty() : tensor<1x19xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1x19xf32>) outs(%e : tensor<1x19xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.negf %v : f32
    linalg.yield %t : f32
  } -> tensor<1x19xf32>
  return %y : tensor<1x19xf32>
}

// -----

#in = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// A row is contiguous: partial sums in the lanes, combined at the end.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kind = "reduction"
//       CHECK: vector.reduction <add>, %{{.+}} : vector<8xf32> into f32
func.func @main(%x: tensor<4x64xf32>) -> tensor<4xf32> {
  %zero = arith.constant dense<0.0> : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#in, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x64xf32>) outs(%zero : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// A divisor that is not known may be zero, in lanes past the end at the latest: nothing may trap.

// CHECK-LABEL: func.func private @group_0(
//       CHECK: %[[SAFE:.+]] = arith.select
//       CHECK: arith.divsi %{{.+}}, %[[SAFE]]
func.func @main(%x: tensor<3xi32>, %d: tensor<3xi32>) -> tensor<3xi32> {
  %e = tensor.empty() : tensor<3xi32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%x, %d : tensor<3xi32>, tensor<3xi32>) outs(%e : tensor<3xi32>) {
  ^bb0(%a: i32, %b: i32, %o: i32):
    %q = arith.divsi %a, %b : i32
    linalg.yield %q : i32
  } -> tensor<3xi32>
  return %y : tensor<3xi32>
}
