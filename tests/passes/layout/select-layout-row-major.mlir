// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p 'plan-fusion,form-groups,select-layout{choose=false}' | FileCheck %s

// What lies between two convolutions is row-major, as the model's inputs and outputs are.

#x = affine_map<(n, f, h, w, c) -> (n, c, h, w)>
#w = affine_map<(n, f, h, w, c) -> (f, c)>
#y = affine_map<(n, f, h, w, c) -> (n, f, h, w)>

//       CHECK: #[[PLANAR:.+]] = affine_map<(d0, d1, d2, d3) -> (d0 * 4096 + d1 * 256 + d2 * 16 + d3)>
// CHECK-LABEL: func.func @main
//       CHECK: func.func private @group_0(
//  CHECK-SAME:   tensor<1x16x16x16xf32> {layout.map = #layout.map<#[[PLANAR]], 4096 : i64, "buffer">}
//  CHECK-SAME:   -> (tensor<1x16x16x16xf32> {layout.map = #layout.map<#[[PLANAR]], 4096 : i64, "buffer">})
//       CHECK: func.func private @group_1(
//  CHECK-SAME:   tensor<1x16x16x16xf32> {layout.map = #layout.map<#[[PLANAR]], 4096 : i64, "buffer">}
func.func @main(%x: tensor<1x16x16x16xf32>, %v: tensor<16x16xf32> {sparse.name = "v"}, %w: tensor<16x16xf32> {sparse.name = "w"})
    -> tensor<1x16x16x16xf32> {
  %a = "sparse.contract"(%x, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 16, 16, 16, 16>}
      : (tensor<1x16x16x16xf32>, tensor<16x16xf32>) -> tensor<1x16x16x16xf32>
  %b = "sparse.contract"(%a, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 16, 16, 16, 16>}
      : (tensor<1x16x16x16xf32>, tensor<16x16xf32>) -> tensor<1x16x16x16xf32>
  return %b : tensor<1x16x16x16xf32>
}

// -----

// Keys in the place of a weight: a kernel needs their rows contiguous, so they are copied.

#x = affine_map<(r, f, c) -> (r, c)>
#w = affine_map<(r, f, c) -> (f, c)>
#y = affine_map<(r, f, c) -> (r, f)>

//   CHECK-DAG: #[[ROWS:.+]] = affine_map<(d0, d1) -> (d0 * 32 + d1)>
//   CHECK-DAG: #[[TURNED:.+]] = affine_map<(d0, d1) -> (d0 + d1 * 24)>
// CHECK-LABEL: func.func @main
//       CHECK: call @relayout_2(%{{.+}}) {layout.copy = "rows of an activation in the place of a weight have to be contiguous"}
//       CHECK: func.func private @relayout_2(%{{.+}}: tensor<24x32xf32> {layout.map = #layout.map<#[[ROWS]], 768 : i64, "buffer">})
//  CHECK-SAME:   -> (tensor<24x32xf32> {layout.map = #layout.map<#[[TURNED]], 768 : i64, "buffer">})
func.func @main(%x: tensor<24x48xf32>, %w: tensor<32x48xf32> {sparse.name = "w"}) -> tensor<24x24xf32> {
  %k = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 24, 32, 48>}
      : (tensor<24x48xf32>, tensor<32x48xf32>) -> tensor<24x32xf32>
  %s = "sparse.contract"(%k, %k) {maps = [#x, #w, #y], bounds = array<i64: 24, 24, 32>}
      : (tensor<24x32xf32>, tensor<24x32xf32>) -> tensor<24x24xf32>
  return %s : tensor<24x24xf32>
}
