// RUN: cocomp-opt %s -target=vulkan --random-weights -p encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades | FileCheck %s

// 24 rows: two groups of 12 need no padding. Six pixels: four at a time.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   groups = array<i64: 2>
//  CHECK-SAME:   lanes = 4
//  CHECK-SAME:   pixels = 4
//  CHECK-SAME:   vectors = array<i64: 3>
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}
