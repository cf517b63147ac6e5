// RUN: cocomp-opt %s --split-input-file --random-weights -p 'eliminate-layout-transforms{fuse=false},plan-fusion{fuse=false},form-groups' | FileCheck %s

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#id = affine_map<(p, r) -> (p, r)>
#row = affine_map<(p, r) -> (r)>

// The bias is a part of the product, the activation is an operator of its own. Broadcasts do not move anything.

// CHECK-LABEL: func.func @main
//       CHECK: %[[C:.+]] = call @[[LINEAR:.+]](%arg0, %arg1, %arg2)
//       CHECK: %[[Y:.+]] = call @[[RELU:.+]](%[[C]])
//       CHECK: return %[[Y]]
//       CHECK: func.func private @[[LINEAR]]
//       CHECK:   sparse.contract
//       CHECK:   arith.addf
//       CHECK: func.func private @[[RELU]]
//   CHECK-NOT:   arith.addf
//       CHECK:   arith.maximumf
func.func @main(%x: tensor<2x8xf32>, %w: tensor<4x8xf32> {sparse.name = "w"}, %v: tensor<4xf32> {sparse.name = "v"}) -> tensor<2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 4, 8>} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32> loc(#linear)
  %e = tensor.empty() : tensor<2x4xf32>
  %s = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%v : tensor<4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x4xf32> loc(#bias)
  %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %m = arith.addf %a, %d : f32
    linalg.yield %m : f32
  } -> tensor<2x4xf32> loc(#added)
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %zero : f32
    linalg.yield %m : f32
  } -> tensor<2x4xf32> loc(#relu)
  return %r : tensor<2x4xf32>
}

#operator = loc("linear"("model.py":7:0))
#linear = loc("addmm"("block.0"(#operator)))
#bias = loc("expand"("block.0"(#operator)))
#added = loc("add"("block.0"(#operator)))
#relu = loc("relu"("block.1"("model.py":8:0)))

// -----

#id = affine_map<(i, j) -> (i, j)>
#turned = affine_map<(i, j) -> (j, i)>

// A transpose is a kernel, the reshape after it is none. Of operations without a place each is one.

// CHECK-LABEL: func.func @main
//       CHECK: %[[T:.+]] = call @[[TURN:.+]](%arg0)
//       CHECK: %[[A:.+]] = call @[[ABS:.+]](%[[T]])
//       CHECK: %[[B:.+]] = call @[[NEGATE:.+]](%[[A]])
//       CHECK: return %[[B]]
//       CHECK: func.func private @[[TURN]](%{{.+}}: tensor<4x6xf32>
//  CHECK-SAME:   -> tensor<6x4xf32>
//       CHECK: func.func private @[[ABS]]
//       CHECK:   collapse_shape
//       CHECK:   math.absf
//       CHECK: func.func private @[[NEGATE]]
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
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%b : tensor<24xf32>) outs(%g : tensor<24xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.negf %a : f32
    linalg.yield %m : f32
  } -> tensor<24xf32>
  return %r : tensor<24xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// What is concatenated is copied by kernels that do nothing else.

// CHECK-LABEL: func.func @main
//       CHECK: %[[A:.+]] = call @{{.+}}(%arg0)
//       CHECK: %[[P:.+]] = call @[[FIRST:.+]](%[[A]])
//       CHECK: %[[Q:.+]] = call @{{.+}}(%arg0)
//       CHECK: tensor.concat dim(0) %[[P]], %[[Q]]
//       CHECK: func.func private @[[FIRST]]
//   CHECK-NOT:   math.absf
//       CHECK: return
func.func @main(%x: tensor<4xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = math.absf %v : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  %c = tensor.concat dim(0) %a, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  return %c : tensor<8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Rows of a matrix are read where they are, columns are copied.

// CHECK-LABEL: func.func @main
//       CHECK: %[[C:.+]] = call @[[COLUMNS:.+]](%arg0)
//       CHECK: call @[[SUM:.+]](%{{.+}}, %{{.+}})
//       CHECK: func.func private @[[COLUMNS]](%{{.+}}: tensor<4x6xf32>
//  CHECK-SAME:   -> tensor<2x3xf32>
//   CHECK-NOT: func.func
//       CHECK:   tensor.extract_slice
//       CHECK: func.func private @[[SUM]](
//       CHECK:   tensor.extract_slice %{{.+}}[2, 0] [1, 6] [1, 1]
//   CHECK-NOT:   tensor.extract_slice
func.func @main(%x: tensor<4x6xf32>) -> tensor<2x3xf32> {
  %r = tensor.extract_slice %x[2, 0] [1, 6] [1, 1] : tensor<4x6xf32> to tensor<6xf32>
  %s = tensor.expand_shape %r [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  %c = tensor.extract_slice %x[0, 3] [2, 3] [1, 1] : tensor<4x6xf32> to tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %c : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.addf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
