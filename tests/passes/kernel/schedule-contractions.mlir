// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions | FileCheck %s

// 24 rows are three registers; all rows and pixels fit one tile of at most sixteen registers.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {
//  CHECK-SAME:   keep_zeros = true
//  CHECK-SAME:   lanes = 8
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}
