// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p plan-fusion,form-groups,select-layout,build-plan | FileCheck %s

// Parts of a concatenation are written into the memory of the whole, which is the model's output.

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func @main()
//  CHECK-SAME:   plan.inputs = [{name = "image", type = tensor<2x3xf32>}]
//  CHECK-SAME:   plan.outputs = [{name = "output0", type = tensor<2x6xf32>}]
//       CHECK: %[[X:.+]] = "plan.input"() {index = 0 : i64}
//       CHECK: %[[S:.+]] = "plan.constant"() {weight = "s"}
//       CHECK: %[[Y:.+]] = "plan.output"() {index = 0 : i64}
//   CHECK-NOT: "plan.arena"
//       CHECK: "plan.dispatch"(%[[X]], %[[S]], %[[Y]]) {kernel = @
//  CHECK-SAME:   argument = 2 : i64
//       CHECK: "plan.dispatch"(%[[X]], %[[Y]])
//  CHECK-SAME:   argument = 1 : i64
//       CHECK: return
func.func @main(%x: tensor<2x3xf32> {cocomp.input = "image"}, %s: tensor<2x3xf32> {sparse.name = "s"}) -> tensor<2x6xf32> {
  %e = tensor.empty() : tensor<2x3xf32>
  %a = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %w: f32, %o: f32):
    %t = arith.mulf %v, %w : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %t = arith.negf %v : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  %y = tensor.concat dim(1) %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
  return %y : tensor<2x6xf32>
}
