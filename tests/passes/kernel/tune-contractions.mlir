// The first run takes times that are made up: the widest tile is the fastest. The others measure nothing, and find that in the
// database.

// RUN: rm -f %t.sqlite && python %S/pretend.py %s -target=linux-x86-64 --random-weights -p 'encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,tune-contractions{seconds=0.001 database=%t.sqlite threads=1}' | FileCheck %s
// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,tune-contractions{database=%t.sqlite threads=1}' | FileCheck %s
// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,tune-contractions{database=%t.sqlite threads=2}' | FileCheck %s --check-prefix=PREDICTED

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   pixels = 6

// What was measured with one thread says nothing about two.
// PREDICTED-LABEL: func.func private @group_0(
//  PREDICTED-SAME:   kernel.schedule = {
//  PREDICTED-SAME:   pixels = 3
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}
