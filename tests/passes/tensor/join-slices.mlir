// RUN: cocomp-opt %s --split-input-file -target=linux-x86-64 -p join-slices | FileCheck %s

// Every second row, twice: one tensor, read in place.

// CHECK-DAG: #[[PLACE:.+]] = affine_map<(d0, d1) -> (d0 * 2 + d1 floordiv 16, d1 mod 16)>
// CHECK-DAG: #[[ID:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @main
//       CHECK: %[[Y:.+]] = linalg.generic {indexing_maps = [#[[PLACE]], #[[ID]]]{{.+}} ins(%arg0 : tensor<8x16xf32>)
//   CHECK-NOT: tensor.concat
//       CHECK: return %[[Y]]
func.func @main(%x: tensor<8x16xf32>) -> tensor<4x32xf32> {
  %a = tensor.extract_slice %x[0, 0] [4, 16] [2, 1] : tensor<8x16xf32> to tensor<4x16xf32>
  %b = tensor.extract_slice %x[1, 0] [4, 16] [2, 1] : tensor<8x16xf32> to tensor<4x16xf32>
  %y = tensor.concat dim(1) %a, %b : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// Patches of two by two pixels become channels: rows change faster than columns, in slices of slices.

// CHECK-DAG: #[[PLACE:.+]] = affine_map<(d0, d1, d2) -> (d0 mod 3, d1 * 2 + (d0 floordiv 3) mod 2, d2 * 2 + d0 floordiv 6)>
// CHECK-LABEL: func.func @main
//   CHECK-NOT: tensor.concat
func.func @main(%x: tensor<3x4x6xf32>) -> tensor<12x2x3xf32> {
  %r0 = tensor.extract_slice %x[0, 0, 0] [3, 2, 6] [1, 2, 1] : tensor<3x4x6xf32> to tensor<3x2x6xf32>
  %r1 = tensor.extract_slice %x[0, 1, 0] [3, 2, 6] [1, 2, 1] : tensor<3x4x6xf32> to tensor<3x2x6xf32>
  %a = tensor.extract_slice %r0[0, 0, 0] [3, 2, 3] [1, 1, 2] : tensor<3x2x6xf32> to tensor<3x2x3xf32>
  %b = tensor.extract_slice %r1[0, 0, 0] [3, 2, 3] [1, 1, 2] : tensor<3x2x6xf32> to tensor<3x2x3xf32>
  %c = tensor.extract_slice %r0[0, 0, 1] [3, 2, 3] [1, 1, 2] : tensor<3x2x6xf32> to tensor<3x2x3xf32>
  %d = tensor.extract_slice %r1[0, 0, 1] [3, 2, 3] [1, 1, 2] : tensor<3x2x6xf32> to tensor<3x2x3xf32>
  %y = tensor.concat dim(0) %a, %b, %c, %d : (tensor<3x2x3xf32>, tensor<3x2x3xf32>, tensor<3x2x3xf32>, tensor<3x2x3xf32>) -> tensor<12x2x3xf32>
  return %y : tensor<12x2x3xf32>
}

// -----

// Parts that begin anywhere, that are of different tensors, or that do not fill registers, are put side by side.

// CHECK-LABEL: func.func @main
//       CHECK: tensor.concat dim(0)
//       CHECK: tensor.concat dim(0)
//       CHECK: tensor.concat dim(1)
func.func @main(%x: tensor<8x6xf32>, %z: tensor<8x6xf32>) -> (tensor<6x6xf32>, tensor<4x6xf32>, tensor<8x6xf32>) {
  %a = tensor.extract_slice %x[0, 0] [2, 6] [1, 1] : tensor<8x6xf32> to tensor<2x6xf32>
  %b = tensor.extract_slice %x[3, 0] [2, 6] [1, 1] : tensor<8x6xf32> to tensor<2x6xf32>
  %c = tensor.extract_slice %x[4, 0] [2, 6] [1, 1] : tensor<8x6xf32> to tensor<2x6xf32>
  %d = tensor.extract_slice %z[0, 0] [2, 6] [1, 1] : tensor<8x6xf32> to tensor<2x6xf32>
  %e = tensor.extract_slice %x[0, 0] [8, 3] [1, 2] : tensor<8x6xf32> to tensor<8x3xf32>
  %f = tensor.extract_slice %x[0, 1] [8, 3] [1, 2] : tensor<8x6xf32> to tensor<8x3xf32>
  %u = tensor.concat dim(0) %a, %b, %c : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<6x6xf32>
  %v = tensor.concat dim(0) %a, %d : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<4x6xf32>
  %w = tensor.concat dim(1) %e, %f : (tensor<8x3xf32>, tensor<8x3xf32>) -> tensor<8x6xf32>
  return %u, %v, %w : tensor<6x6xf32>, tensor<4x6xf32>, tensor<8x6xf32>
}
