// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p eliminate-layout-transforms,plan-fusion,form-groups,select-layout | FileCheck %s

// Two convolutions: inputs and outputs of the model are row-major, what lies between has its channels contiguous.

#x = affine_map<(n, f, h, w, c) -> (n, c, h, w)>
#w = affine_map<(n, f, h, w, c) -> (f, c)>
#y = affine_map<(n, f, h, w, c) -> (n, f, h, w)>

// CHECK-DAG: #[[PLANAR:.+]] = affine_map<(d0, d1, d2, d3) -> (d0 * 1024 + d1 * 64 + d2 * 8 + d3)>
// CHECK-DAG: #[[CHANNELS:.+]] = affine_map<(d0, d1, d2, d3) -> (d0 * 1024 + d1 + d2 * 128 + d3 * 16)>
// CHECK-LABEL: func.func @main
//       CHECK: func.func private @group_0(
//  CHECK-SAME:   tensor<1x16x8x8xf32> {layout.map = #layout.map<#[[PLANAR]], 1024 : i64, "buffer">}
//  CHECK-SAME:   sparse.weight
//  CHECK-SAME:   -> (tensor<1x16x8x8xf32> {layout.map = #layout.map<#[[CHANNELS]], 1024 : i64, "buffer">})
//       CHECK: func.func private @group_1(
//  CHECK-SAME:   tensor<1x16x8x8xf32> {layout.map = #layout.map<#[[CHANNELS]], 1024 : i64, "buffer">}
//  CHECK-SAME:   -> (tensor<1x16x8x8xf32> {layout.map = #layout.map<#[[PLANAR]], 1024 : i64, "buffer">})
func.func @main(%x: tensor<1x16x8x8xf32>, %v: tensor<16x16xf32> {sparse.name = "v"}, %w: tensor<16x16xf32> {sparse.name = "w"})
    -> tensor<1x16x8x8xf32> {
  %a = "sparse.contract"(%x, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 16, 8, 8, 16>}
      : (tensor<1x16x8x8xf32>, tensor<16x16xf32>) -> tensor<1x16x8x8xf32>
  %b = "sparse.contract"(%a, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 16, 8, 8, 16>}
      : (tensor<1x16x8x8xf32>, tensor<16x16xf32>) -> tensor<1x16x8x8xf32>
  return %b : tensor<1x16x8x8xf32>
}

// -----

// Queries and keys come from one product. The keys, which stand in the place of a weight, are a part of it: that alone is
// copied, and the copy is written with its rows contiguous.

#x = affine_map<(r, f, c) -> (r, c)>
#w = affine_map<(r, f, c) -> (f, c)>
#y = affine_map<(r, f, c) -> (r, f)>

//   CHECK-DAG: #[[TURNED:.+]] = affine_map<(d0, d1) -> (d0 + d1 * 24)>
// CHECK-LABEL: func.func @main
//       CHECK: call @group_1({{.+}}) {layout.copy = "rows of an activation in the place of a weight are contiguous, and to copy a part is cheaper than the whole"}
//       CHECK: func.func private @group_1({{.+}}) -> (tensor<24x32xf32> {layout.map = #layout.map<#[[TURNED]], 768 : i64, "buffer">})
//       CHECK: func.func private @group_2(
//  CHECK-SAME: %arg1: tensor<24x32xf32> {layout.map = #layout.map<#[[TURNED]], 768 : i64, "buffer">})
//       CHECK: "sparse.contract"(%{{.+}}, %arg1)
func.func @main(%x: tensor<24x48xf32>, %w: tensor<64x48xf32> {sparse.name = "w"}) -> tensor<24x24xf32> {
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 24, 64, 48>}
      : (tensor<24x48xf32>, tensor<64x48xf32>) -> tensor<24x64xf32>
  %q = tensor.extract_slice %a[0, 0] [24, 32] [1, 1] : tensor<24x64xf32> to tensor<24x32xf32>
  %k = tensor.extract_slice %a[0, 32] [24, 32] [1, 1] : tensor<24x64xf32> to tensor<24x32xf32>
  %s = "sparse.contract"(%q, %k) {maps = [#x, #w, #y], bounds = array<i64: 24, 24, 32>}
      : (tensor<24x32xf32>, tensor<24x32xf32>) -> tensor<24x24xf32>
  return %s : tensor<24x24xf32>
}

// -----

// Two products need the rows of one activation contiguous, and nothing else reads it: it is written that way, and not copied.

#x = affine_map<(r, f, c) -> (r, c)>
#w = affine_map<(r, f, c) -> (f, c)>
#y = affine_map<(r, f, c) -> (r, f)>

//   CHECK-DAG: #[[TURNED:.+]] = affine_map<(d0, d1) -> (d0 + d1 * 24)>
// CHECK-LABEL: func.func @main
//   CHECK-NOT: relayout
//       CHECK: func.func private @group_0({{.+}}) -> (tensor<24x48xf32> {layout.map = #layout.map<#[[TURNED]], 1152 : i64, "buffer">})
func.func @main(%x: tensor<16x48xf32>, %z: tensor<8x48xf32>, %k: tensor<24x20xf32>, %w: tensor<48x20xf32> {sparse.name = "w"}) -> (tensor<16x24xf32>, tensor<8x24xf32>) {
  %a = "sparse.contract"(%k, %w) {maps = [#x, #w, #y], bounds = array<i64: 24, 48, 20>}
      : (tensor<24x20xf32>, tensor<48x20xf32>) -> tensor<24x48xf32>
  %s = "sparse.contract"(%x, %a) {maps = [#x, #w, #y], bounds = array<i64: 16, 24, 48>}
      : (tensor<16x48xf32>, tensor<24x48xf32>) -> tensor<16x24xf32>
  %t = "sparse.contract"(%z, %a) {maps = [#x, #w, #y], bounds = array<i64: 8, 24, 48>}
      : (tensor<8x48xf32>, tensor<24x48xf32>) -> tensor<8x24xf32>
  return %s, %t : tensor<16x24xf32>, tensor<8x24xf32>
}

// -----

// An activation that others read as it comes is copied for them, once.

#x = affine_map<(r, f, c) -> (r, c)>
#w = affine_map<(r, f, c) -> (f, c)>
#y = affine_map<(r, f, c) -> (r, f)>

// CHECK-LABEL: func.func @main
//       CHECK: %[[A:.+]] = call @group_0(
//       CHECK: %[[C:.+]] = call @relayout_[[N:.+]](%[[A]]) {layout.copy = "rows of an activation in the place of a weight have to be contiguous"}
//   CHECK-DAG: call @group_1({{.*}}%[[C]])
//   CHECK-DAG: call @group_2({{.*}}%[[C]])
//   CHECK-NOT: call @relayout
//       CHECK: func.func private
func.func @main(%x: tensor<16x48xf32>, %z: tensor<8x48xf32>, %k: tensor<24x20xf32>, %w: tensor<48x20xf32> {sparse.name = "w"}) -> (tensor<16x24xf32>, tensor<8x24xf32>, tensor<24x48xf32>) {
  %a = "sparse.contract"(%k, %w) {maps = [#x, #w, #y], bounds = array<i64: 24, 48, 20>}
      : (tensor<24x20xf32>, tensor<48x20xf32>) -> tensor<24x48xf32>
  %s = "sparse.contract"(%x, %a) {maps = [#x, #w, #y], bounds = array<i64: 16, 24, 48>}
      : (tensor<16x48xf32>, tensor<24x48xf32>) -> tensor<16x24xf32>
  %t = "sparse.contract"(%z, %a) {maps = [#x, #w, #y], bounds = array<i64: 8, 24, 48>}
      : (tensor<8x48xf32>, tensor<24x48xf32>) -> tensor<8x24xf32>
  return %s, %t, %a : tensor<16x24xf32>, tensor<8x24xf32>, tensor<24x48xf32>
}
