// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,pack-weights | FileCheck %s

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func @main()
//   CHECK-NOT: weight = "w"}
//   CHECK-DAG: %[[X:.+]] = "plan.input"
//   CHECK-DAG: %[[W:.+]] = "plan.constant"() {weight = "w:packed"}
//   CHECK-DAG: %[[O:.+]] = "plan.constant"() {weight = "w:offsets"}
//   CHECK-DAG: %[[S:.+]] = "plan.constant"() {weight = "w:spans"}
//       CHECK: "plan.dispatch"(%[[X]], %[[W]], %{{.+}}, %[[O]], %[[S]])
func.func @main(%x: tensor<6x32xf32>, %w: tensor<24x32xf32> {sparse.name = "w"}) -> tensor<6x24xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 6, 24, 32>} : (tensor<6x32xf32>, tensor<24x32xf32>) -> tensor<6x24xf32>
  return %y : tensor<6x24xf32>
}
