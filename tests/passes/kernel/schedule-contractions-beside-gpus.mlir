// RUN: cocomp-opt %s -target=android-gpu --random-weights -p encode-weights,plan-fusion,form-groups,place-groups{fallback=cpu},select-layout{gather=true},schedule-shades,schedule-contractions | FileCheck %s

// A tile for the GPU stays what it is; the contraction in double precision gets one for the processor beside it, whose registers of
// 16 bytes hold two elements.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   groups = array<i64: 3>
//  CHECK-SAME:   lanes = 4
// CHECK-LABEL: func.func private @group_1(
//  CHECK-SAME:   kernel.on_cpu
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   lanes = 2
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}, %u: tensor<6x32xf64>, %v: tensor<24x32xf64> {sparse.name = "v"}) -> (tensor<6x24xf32>, tensor<6x24xf64>) {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  %z = "sparse.contract"(%u, %v) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf64>, tensor<24x32xf64>) -> tensor<6x24xf64>
  return %y, %z : tensor<6x24xf32>, tensor<6x24xf64>
}
