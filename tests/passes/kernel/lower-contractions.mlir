// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd,pack-weights,assign-arena,lower-contractions | FileCheck %s

// The loop over the kept columns: one load of a weight register, and a multiply-add with every pixel of the tile.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   memref<768xf32>
//  CHECK-SAME:   kind = "gather-gemm"
//       CHECK: scf.for %[[COLUMN:[^ ]+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args(
//       CHECK:   memref.load %{{[^ ]+}}[%[[COLUMN]]] : memref<{{.+}}xi32>
//       CHECK:   %[[W:.+]] = vector.load {{.*}} vector<8xf32>
//       CHECK:   %[[P:.+]] = vector.broadcast
//       CHECK:   math.fma %[[P]], %
//       CHECK: vector.store
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}

// -----

// The result's pixels are contiguous: the tile is turned before it is stored, and ends with as many rows as there are.

#x = affine_map<(p, r, c) -> (c, p * 2)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (r, p)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   stores = "transposed"
//       CHECK: math.fma
//       CHECK: vector.shuffle %{{.+}}, %{{.+}} [0, 8, 1, 9, 4, 12, 5, 13] : vector<8xf32>, vector<8xf32>
//       CHECK: vector.shuffle %{{.+}}, %{{.+}} [0, 1, 8, 9, 4, 5, 12, 13] : vector<8xf32>, vector<8xf32>
//       CHECK: vector.shuffle %{{.+}}, %{{.+}} [0, 1, 2, 3, 8, 9, 10, 11] : vector<8xf32>, vector<8xf32>
// CHECK-COUNT-7: vector.maskedstore
//   CHECK-NOT: vector.maskedstore
func.func @main(%x: tensor<32x9xf32>, %w: tensor<7x32xf32> {sparse.name = "w"}) -> tensor<7x5xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 5, 7, 32>} : (tensor<32x9xf32>, tensor<7x32xf32>) -> tensor<7x5xf32>
  return %y : tensor<7x5xf32>
}

// -----

// Weights from beyond the L2 cache are asked for while others are multiplied with several tiles of pixels.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func private @group_0(
//       CHECK: scf.for %[[COLUMN:[^ ]+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args(
//       CHECK:   vector.load %[[W:.+]][%{{.+}}]
//       CHECK:   memref.prefetch %[[W]][%{{.+}}], read, locality<3>, data
//       CHECK:   math.fma
func.func @main(%x: tensor<96x512xf32>, %w: tensor<256x512xf32> {sparse.name = "w"}) -> tensor<96x256xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 96, 256, 512>} : (tensor<96x512xf32>, tensor<256x512xf32>) -> tensor<96x256xf32>
  return %y : tensor<96x256xf32>
}
