// RUN: cocomp-opt %s -target=vulkan --random-weights -p encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades | FileCheck %s

// 24 rows: three groups of eight with all six pixels fetch less for what they multiply than two of 12.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   groups = array<i64: 3>
//  CHECK-SAME:   lanes = 4
//  CHECK-SAME:   pixels = 6
//  CHECK-SAME:   unit = 1
//  CHECK-SAME:   vectors = array<i64: 2>
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}
