// RUN: cocomp-opt %s --split-input-file -target=vulkan --random-weights -p encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades,build-plan,pack-weights,shade-contractions,bind-texels | FileCheck %s

// Four columns of a pixel are a texel, and so are four rows of a column of the weight; results are written as texels.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
//  CHECK-SAME:   %[[W:[a-z0-9]+]]: !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
//  CHECK-SAME:   %[[Y:[a-z0-9]+]]: !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NoSampler, Rgba32f>
//  CHECK-SAME:   kernel.bindings = ["quads f32", "quads f32", "written f32"]
//  CHECK-SAME:   kernel.grid = array<i64: 1, 1, 1>
//  CHECK-SAME:   kernel.operands = array<i64: 0, 1, 2>
//       CHECK: scf.for {{.*}} step %c4{{.*}} iter_args(
// CHECK-COUNT-6: spirv.ImageFetch %[[X]]
// CHECK-COUNT-8: spirv.ImageFetch %[[W]]
//   CHECK-NOT:   spirv.ImageFetch
//       CHECK:   arith.mulf {{.*}} : vector<4xf32>
//       CHECK:   arith.addf {{.*}} : vector<4xf32>
// CHECK-COUNT-12: spirv.ImageWrite %[[Y]]
//   CHECK-NOT: spirv.ImageWrite
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}

// -----

// Three columns are no texel: they are read one at a time. Five rows are none either: they are stored one at a time, as far as
// there are any.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.bindings = ["buffer f32", "singles f32", "quads f32"]
//       CHECK: scf.for
//       CHECK:   spirv.ImageFetch
//       CHECK:   vector.extract
//   CHECK-NOT: spirv.ImageWrite
//       CHECK: scf.if
//       CHECK:   memref.store
func.func @main(%x: tensor<6x3xf32>, %w: tensor<5x3xf32> {sparse.name = "w"}) -> tensor<6x5xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 5, 3>} : (tensor<6x3xf32>, tensor<5x3xf32>) -> tensor<6x5xf32>
  return %y : tensor<6x5xf32>
}
