// RUN: python %S/kept.py %t.safetensors
// RUN: cocomp-opt %s --split-input-file -target=vulkan --weights %t.safetensors -p encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades | FileCheck %s --check-prefix=TILE
// RUN: cocomp-opt %s --split-input-file -target=vulkan --weights %t.safetensors -p encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades,build-plan,pack-weights,shade-contractions,bind-texels | FileCheck %s

// An entry of a row group's list stands for four columns: a texel of each pixel.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// TILE-LABEL: func.func private @group_0(
//  TILE-SAME:   groups = array<i64: 2>, keep_zeros = false
//  TILE-SAME:   pixels = 8
//  TILE-SAME:   unit = 4
//  TILE-SAME:   vectors = array<i64: 2>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: !spirv.image<f32, Buffer
//  CHECK-SAME:   %[[W:[a-z0-9]+]]: !spirv.image<f32, Buffer
//  CHECK-SAME:   %[[Y:[a-z0-9]+]]: !spirv.image<f32, Buffer
//  CHECK-SAME:   %[[OFFSETS:[a-z0-9]+]]: !spirv.image<i32, Buffer
//  CHECK-SAME:   %[[SPANS:[a-z0-9]+]]: !spirv.image<i32, Buffer
//  CHECK-SAME:   kernel.bindings = ["quads f32", "quads f32", "written f32", "singles i32", "singles i32"]
// CHECK-COUNT-3: spirv.ImageFetch %[[SPANS]]
//       CHECK: scf.for
//       CHECK:   spirv.ImageFetch %[[OFFSETS]]
// CHECK-COUNT-8: spirv.ImageFetch %[[X]]
// CHECK-COUNT-8: spirv.ImageFetch %[[W]]
//   CHECK-NOT:   spirv.ImageFetch
func.func @main(%x: tensor<8x64xf32>, %w: tensor<16x64xf32> {sparse.name = "quads"}) -> tensor<8x16xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 16, 64>} : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

// Columns that have no neighbours are read one by one, four in a turn of the loop as long as there are as many.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// TILE-LABEL: func.func private @group_0(
//  TILE-SAME:   groups = array<i64: 1>, keep_zeros = false
//  TILE-SAME:   pixels = 4
//  TILE-SAME:   unit = 1
//  TILE-SAME:   vectors = array<i64: 4>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.bindings = ["singles f32", "quads f32", "written f32", "singles i32", "singles i32"]
//       CHECK: %[[TURNS:.+]]:16 = scf.for
// CHECK-COUNT-36: spirv.ImageFetch
//   CHECK-NOT:   spirv.ImageFetch
//       CHECK: scf.for {{.+}} iter_args(%{{.+}} = %[[TURNS]]#0
// CHECK-COUNT-9: spirv.ImageFetch
//   CHECK-NOT:   spirv.ImageFetch
func.func @main(%x: tensor<8x64xf32>, %w: tensor<16x64xf32> {sparse.name = "single"}) -> tensor<8x16xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 8, 16, 64>} : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}
