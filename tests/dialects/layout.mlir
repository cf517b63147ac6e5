// RUN: cocomp-opt %s | cocomp-opt - | FileCheck %s

// CHECK-LABEL: func.func private @group
//  CHECK-SAME:   layout.map = #layout.map<affine_map<(d0, d1) -> (d0 + d1 * 8)>, 64 : i64, "buffer">
func.func private @group(%x: tensor<8x7xf32> {layout.map = #layout.map<affine_map<(d0, d1) -> (d0 + d1 * 8)>, 64 : i64, "buffer">}) {
  return
}
