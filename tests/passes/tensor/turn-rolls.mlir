// RUN: cocomp-opt %s --split-input-file -p turn-rolls,canonicalize | FileCheck %s

// The second slice before the first: a rotation.

//       CHECK: #[[TURNED:.+]] = affine_map<(d0, d1) -> ((d0 + 3) mod 8, d1)>
// CHECK-LABEL: func.func @main
//   CHECK-NOT: tensor.concat
//       CHECK: linalg.generic {indexing_maps = [#[[TURNED]], {{.+}}} ins(%arg0 :
func.func @main(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %a = tensor.extract_slice %x[3, 0] [5, 4] [1, 1] : tensor<8x4xf32> to tensor<5x4xf32>
  %b = tensor.extract_slice %x[0, 0] [3, 4] [1, 1] : tensor<8x4xf32> to tensor<3x4xf32>
  %y = tensor.concat dim(0) %a, %b : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// Along the last axis two copies are better.

// CHECK-LABEL: func.func @main
//       CHECK: tensor.concat
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %a = tensor.extract_slice %x[0, 3] [4, 5] [1, 1] : tensor<4x8xf32> to tensor<4x5xf32>
  %b = tensor.extract_slice %x[0, 0] [4, 3] [1, 1] : tensor<4x8xf32> to tensor<4x3xf32>
  %y = tensor.concat dim(1) %a, %b : (tensor<4x5xf32>, tensor<4x3xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// Halves in their order are no rotation, nor are a part of a longer tensor, parts of two tensors, or parts that overlap.

// CHECK-LABEL: func.func @main
// CHECK-COUNT-4: tensor.concat
func.func @main(%x: tensor<9x4xf32>, %z: tensor<8x4xf32>, %v: tensor<8x4xf32>)
    -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) {
  %a = tensor.extract_slice %z[0, 0] [5, 4] [1, 1] : tensor<8x4xf32> to tensor<5x4xf32>
  %b = tensor.extract_slice %z[5, 0] [3, 4] [1, 1] : tensor<8x4xf32> to tensor<3x4xf32>
  %p = tensor.concat dim(0) %a, %b : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<8x4xf32>
  %c = tensor.extract_slice %x[3, 0] [5, 4] [1, 1] : tensor<9x4xf32> to tensor<5x4xf32>
  %d = tensor.extract_slice %x[0, 0] [3, 4] [1, 1] : tensor<9x4xf32> to tensor<3x4xf32>
  %q = tensor.concat dim(0) %c, %d : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<8x4xf32>
  %e = tensor.extract_slice %z[3, 0] [5, 4] [1, 1] : tensor<8x4xf32> to tensor<5x4xf32>
  %f = tensor.extract_slice %v[0, 0] [3, 4] [1, 1] : tensor<8x4xf32> to tensor<3x4xf32>
  %r = tensor.concat dim(0) %e, %f : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<8x4xf32>
  %g = tensor.extract_slice %z[2, 0] [5, 4] [1, 1] : tensor<8x4xf32> to tensor<5x4xf32>
  %h = tensor.extract_slice %z[0, 0] [3, 4] [1, 1] : tensor<8x4xf32> to tensor<3x4xf32>
  %s = tensor.concat dim(0) %g, %h : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<8x4xf32>
  return %p, %q, %r, %s : tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>
}
