// RUN: cocomp-opt %s --split-input-file -p share-pads,canonicalize | FileCheck %s

// Who reads the operand of a padding reads the inside of its result.

#id = affine_map<(c, p) -> (c, p)>

// CHECK-LABEL: func.func @main
//       CHECK: %[[X:.+]] = linalg.generic
//       CHECK: %[[P:.+]] = tensor.pad %[[X]] low[0, 1] high[0, 2]
//       CHECK: %[[I:.+]] = tensor.extract_slice %[[P]][0, 1] [2, 8] [1, 1]
//       CHECK: linalg.generic {{.*}} ins(%[[P]] :
//       CHECK: linalg.generic {{.*}} ins(%[[I]] :
func.func @main(%a: tensor<2x8xf32>) -> (tensor<2x11xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %f = tensor.empty() : tensor<2x11xf32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  %p = tensor.pad %x low[0, 1] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x8xf32> to tensor<2x11xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<2x11xf32>) outs(%f : tensor<2x11xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.negf %i : f32
    linalg.yield %r : f32
  } -> tensor<2x11xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.negf %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  return %y, %z : tensor<2x11xf32>, tensor<2x8xf32>
}

// -----

// The parts of a concatenation along another axis are padded; along the same axis nothing changes, nor for a result of the model.

#id = affine_map<(c, p) -> (c, p)>

// CHECK-LABEL: func.func @main
//       CHECK: %[[X:.+]] = linalg.generic
//       CHECK: %[[P:.+]] = tensor.pad %[[X]] low[0, 1] high[0, 1]
//       CHECK: %[[Y:.+]] = linalg.generic
//       CHECK: %[[Q:.+]] = tensor.pad %[[Y]] low[0, 1] high[0, 1]
//       CHECK: %[[C:.+]] = tensor.concat dim(0) %[[P]], %[[Q]]
//       CHECK: tensor.extract_slice %[[C]][0, 1] [4, 8] [1, 1]
//       CHECK: linalg.generic {{.*}} ins(%[[C]] :
//       CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%arg0 :
//       CHECK: %[[S:.+]] = tensor.pad %[[R]]
//       CHECK: return %{{.+}}, %{{.+}}, %[[S]], %[[R]]
func.func @main(%a: tensor<2x8xf32>) -> (tensor<4x10xf32>, tensor<4x8xf32>, tensor<2x10xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %f = tensor.empty() : tensor<4x10xf32>
  %g = tensor.empty() : tensor<4x8xf32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  %x2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  %c = tensor.concat dim(0) %x, %x2 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<4x8xf32>
  %p = tensor.pad %c low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<4x8xf32> to tensor<4x10xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<4x10xf32>) outs(%f : tensor<4x10xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.negf %i : f32
    linalg.yield %r : f32
  } -> tensor<4x10xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<4x8xf32>) outs(%g : tensor<4x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.negf %i : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.sqrt %i : f32
    linalg.yield %r : f32
  } -> tensor<2x8xf32>
  %q = tensor.pad %w low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x8xf32> to tensor<2x10xf32>
  return %y, %z, %q, %w : tensor<4x10xf32>, tensor<4x8xf32>, tensor<2x10xf32>, tensor<2x8xf32>
}
