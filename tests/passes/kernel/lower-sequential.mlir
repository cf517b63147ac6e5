// RUN: cocomp-opt %s -target=linux-x86-64 -p plan-fusion,form-groups,select-layout,build-plan,assign-arena,lower-sequential | FileCheck %s

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   vector = "scalar"
//  CHECK-SAME:   kernel.tasks = 1
//       CHECK: scf.for
//       CHECK:   memref.store
func.func @main(%x: tensor<4x5xf32>, %e: tensor<4x5xf32>, %zero: tensor<5xf32>) -> tensor<4x5xf32> {
  %y:2 = tm_tensor.scan dimension(0) inclusive(true) ins(%x : tensor<4x5xf32>) outs(%e, %zero : tensor<4x5xf32>, tensor<5xf32>) {
  ^bb0(%total: f32, %v: f32):
    %s = arith.addf %total, %v : f32
    tm_tensor.yield %s : f32
  } -> tensor<4x5xf32>, tensor<5xf32>
  return %y#0 : tensor<4x5xf32>
}
