// RUN: cocomp-opt %s --split-input-file --random-weights -p eliminate-layout-transforms | FileCheck %s
// RUN: cocomp-opt %s --split-input-file --random-weights -p 'eliminate-layout-transforms{fuse=false}' | FileCheck %s --check-prefix=UNFUSED

#id = affine_map<(i, j) -> (i, j)>
#turned = affine_map<(i, j) -> (j, i)>

// A transpose is read through by what computes with it, whatever lies between; without fusion it is a kernel.

// CHECK-LABEL: func.func @main
//   CHECK-NOT: layout.copy
//       CHECK: return
//     UNFUSED: linalg.generic {{.+}} attrs = {layout.copy = "without fusion what moves values is a kernel"}
// UNFUSED-NOT: layout.copy
//     UNFUSED: return
func.func @main(%x: tensor<4x6xf32>) -> tensor<24xf32> {
  %e = tensor.empty() : tensor<6x4xf32>
  %t = linalg.generic {indexing_maps = [#turned, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<6x4xf32>
  %f = tensor.collapse_shape %t [[0, 1]] : tensor<6x4xf32> into tensor<24xf32>
  %g = tensor.empty() : tensor<24xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%f : tensor<24xf32>) outs(%g : tensor<24xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = math.absf %a : f32
    linalg.yield %m : f32
  } -> tensor<24xf32>
  return %b : tensor<24xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#turned = affine_map<(i, j) -> (j, i)>

// A result of the model is in memory, and so is an input that is a result.

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic {{.+}} attrs = {layout.copy = "a result of the model has memory of its own, row-major"}
//       CHECK: linalg.generic {{.+}} attrs = {layout.copy = "an input of the model is not where this has to be"}
func.func @main(%x: tensor<4x6xf32>) -> (tensor<6x4xf32>, tensor<4x6xf32>) {
  %e = tensor.empty() : tensor<6x4xf32>
  %t = linalg.generic {indexing_maps = [#turned, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<6x4xf32>
  return %t, %x : tensor<6x4xf32>, tensor<4x6xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// Parts of a concatenation lie in its memory: a slice is put there, and what is there twice is copied once.

// CHECK-LABEL: func.func @main
//       CHECK: %[[S:.+]] = tensor.extract_slice %arg0[1] [3] [1] {layout.copy = "a part of a concatenation lies in its memory"}
//       CHECK: %[[A:.+]] = linalg.generic
//   CHECK-NOT:   layout.copy
//       CHECK:   math.absf
//       CHECK: %[[B:.+]] = linalg.generic {{.+}} ins(%[[A]] : tensor<4xf32>) {{.+}} attrs = {layout.copy = "it has to lie in two places"}
//       CHECK: tensor.concat dim(0) %[[S]], %[[B]], %[[A]]
func.func @main(%x: tensor<4xf32>) -> tensor<11xf32> {
  %s = tensor.extract_slice %x[1] [3] [1] : tensor<4xf32> to tensor<3xf32>
  %e = tensor.empty() : tensor<4xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = math.absf %v : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  %c = tensor.concat dim(0) %s, %a, %a : (tensor<3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<11xf32>
  return %c : tensor<11xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// Memory that nobody writes gets zeros, and what is overwritten is copied where others read it.

// CHECK-LABEL: func.func @main
//   CHECK-DAG: %[[Z:.+]] = arith.constant {layout.copy = "a constant is read from memory"} dense<0.0{{.+}}> : tensor<7xf32>
//   CHECK-DAG: %[[A:.+]] = linalg.generic {{.+}} ins(%arg0 : tensor<3xf32>) {{.+}} attrs = {layout.copy = "an input of the model is not where this has to be"}
//       CHECK: %[[Y:.+]] = tensor.insert_slice %[[A]] into %[[Z]]
//       CHECK: %[[B:.+]] = linalg.generic {{.+}} ins(%[[V:.+]] : tensor<7xf32>) {{.+}} attrs = {layout.copy = "what is overwritten has other readers"}
//       CHECK: tensor.insert_slice %{{.+}} into %[[B]]
func.func @main(%x: tensor<3xf32>, %u: tensor<7xf32>) -> (tensor<7xf32>, tensor<7xf32>, tensor<7xf32>) {
  %e = tensor.empty() : tensor<7xf32>
  %y = tensor.insert_slice %x into %e[2] [3] [1] : tensor<3xf32> into tensor<7xf32>
  %v = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%u : tensor<7xf32>) outs(%e : tensor<7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = math.absf %a : f32
    linalg.yield %m : f32
  } -> tensor<7xf32>
  %z = tensor.insert_slice %x into %v[0] [3] [1] : tensor<3xf32> into tensor<7xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%v : tensor<7xf32>) outs(%e : tensor<7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = math.exp %a : f32
    linalg.yield %m : f32
  } -> tensor<7xf32>
  return %y, %z, %w : tensor<7xf32>, tensor<7xf32>, tensor<7xf32>
}

// -----

#x = affine_map<(r, f, c) -> (r, c)>
#w = affine_map<(r, f, c) -> (f, c)>
#y = affine_map<(r, f, c) -> (r, f)>

// Queries and keys come from one product. The keys, which stand in the place of a weight, are copied.

// CHECK-LABEL: func.func @main
//       CHECK: tensor.extract_slice %{{.+}}[0, 0] [24, 32] [1, 1] : tensor
//       CHECK: tensor.extract_slice %{{.+}}[0, 32] [24, 32] [1, 1] {layout.copy = "rows of an activation in the place of a weight are contiguous, and to copy a part is cheaper than the whole"}
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

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#id = affine_map<(p, c) -> (p, c)>
#rolled = affine_map<(p, c) -> ((p + 1) mod 5, c)>

// A rotation by one has no addresses that are linear.

// CHECK-LABEL: func.func @main
//       CHECK: linalg.generic {{.+}} attrs = {layout.copy = "a contraction reads at addresses that are linear in its loops"}
func.func @main(%x: tensor<5x8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}) -> tensor<5x4xf32> {
  %e = tensor.empty() : tensor<5x8xf32>
  %t = linalg.generic {indexing_maps = [#rolled, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<5x8xf32>) outs(%e : tensor<5x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<5x8xf32>
  %c = "sparse.contract"(%t, %w) {maps = [#x, #w, #y], bounds = array<i64: 5, 4, 8>} : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  return %c : tensor<5x4xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// Borders, and what is read at positions that are computed, are not index arithmetic; nor is what a sequential operation reads.

// CHECK-LABEL: func.func @main
//       CHECK: tensor.pad %{{.+}} low[1] high[2] {
//       CHECK: } {layout.copy = "what surrounds an image has to be in memory"}
//       CHECK: linalg.generic {{.+}} attrs = {layout.copy = "where values come from is known at run time only"}
//       CHECK: tensor.expand_shape %{{.+}} {layout.copy = "a scan or a sort reads memory as it is"}
func.func @main(%x: tensor<4xf32>, %p: tensor<4xi64>) -> (tensor<7xf32>, tensor<2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %r = tensor.pad %x low[1] high[2] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<4xf32> to tensor<7xf32>
  %e = tensor.empty() : tensor<4xf32>
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%p : tensor<4xi64>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: i64, %o: f32):
    %i = arith.index_cast %a : i64 to index
    %v = tensor.extract %x[%i] : tensor<4xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %s = tensor.expand_shape %g [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  %f = tensor.empty() : tensor<2x2xf32>
  %l = tensor.empty() : tensor<2xf32>
  %y, %last = tm_tensor.scan dimension(0) inclusive(true) ins(%s : tensor<2x2xf32>) outs(%f, %l : tensor<2x2xf32>, tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = arith.addf %a, %b : f32
    tm_tensor.yield %t : f32
  } -> tensor<2x2xf32>, tensor<2xf32>
  return %r, %y : tensor<7xf32>, tensor<2x2xf32>
}

// -----

#x = affine_map<(r, p, c) -> (c, p)>
#w = affine_map<(r, p, c) -> (r, c)>
#y = affine_map<(r, p, c) -> (r, p)>

// Every second pixel is read in place by a dense product; where the weight has zeros, pixels have to be neighbours.

// CHECK-LABEL: func.func @main
//       CHECK: tensor.extract_slice %arg0[0, 0] [8, 5] [1, 2] :
//       CHECK: tensor.extract_slice %arg0[0, 1] [8, 5] [1, 2] {layout.copy = "registers along pixels, which zeros want, need neighbours to stay neighbours"}
func.func @main(%x: tensor<8x10xf32>, %w: tensor<4x8xf32, #sparse.dense> {sparse.name = "w"}, %v: tensor<4x8xf32, #sparse.csr> {sparse.name = "v"}) -> (tensor<4x5xf32>, tensor<4x5xf32>) {
  %s = tensor.extract_slice %x[0, 0] [8, 5] [1, 2] : tensor<8x10xf32> to tensor<8x5xf32>
  %t = tensor.extract_slice %x[0, 1] [8, 5] [1, 2] : tensor<8x10xf32> to tensor<8x5xf32>
  %a = "sparse.contract"(%s, %w) {maps = [#x, #w, #y], bounds = array<i64: 4, 5, 8>} : (tensor<8x5xf32>, tensor<4x8xf32, #sparse.dense>) -> tensor<4x5xf32>
  %b = "sparse.contract"(%t, %v) {maps = [#x, #w, #y], bounds = array<i64: 4, 5, 8>} : (tensor<8x5xf32>, tensor<4x8xf32, #sparse.csr>) -> tensor<4x5xf32>
  return %a, %b : tensor<4x5xf32>, tensor<4x5xf32>
}
