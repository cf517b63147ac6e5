// The first run takes times that are made up: the widest tile is the fastest, and for it the workgroup with the most row groups. The
// others measure nothing, and find that in the database, but for another device.

// RUN: rm -f %t.sqlite && python %S/../kernel/pretend.py %s -target=vulkan --random-weights -p 'encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades,tune-shades{seconds=100 database=%t.sqlite device=a}' | FileCheck %s
// RUN: cocomp-opt %s -target=vulkan --random-weights -p 'encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades,tune-shades{database=%t.sqlite device=a}' | FileCheck %s
// RUN: cocomp-opt %s -target=vulkan --random-weights -p 'encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades,tune-shades{database=%t.sqlite device=b}' | FileCheck %s --check-prefix=PREDICTED

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   pixels = 12
//  CHECK-SAME:   workgroup = array<i64: 1, 8>

// PREDICTED-LABEL: func.func private @group_0(
//  PREDICTED-SAME:   kernel.schedule = {
//  PREDICTED-SAME:   pixels = 4
//  PREDICTED-NOT:   workgroup
func.func @main(%x: tensor<12x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<12x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 12, 24, 32>} : (tensor<12x32xf32>, tensor<24x32xf32>) -> tensor<12x24xf32>
  return %y : tensor<12x24xf32>
}
