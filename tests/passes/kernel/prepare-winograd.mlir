// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd | FileCheck %s

// The transformed weights are made when the model is created: a dispatch that runs once, before all others.

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// CHECK-LABEL: func.func @main()
//       CHECK: %[[W:.+]] = "plan.constant"() {weight = "w:winograd"}
//       CHECK: %[[U:.+]] = "plan.persistent"() {bytes = 589824 : i64
//       CHECK: "plan.dispatch"(%[[W]], %[[U]]) {kernel = @[[KERNEL:.+]], once
//       CHECK: "plan.dispatch"(%{{.+}}, %[[U]], %{{.+}}) {{{.*}}kernel = @group_1
//       CHECK: kernel.winograd
func.func @main(%x: tensor<1x64x36x36xf32>, %v: tensor<64x64x1x1xf32> {sparse.name = "v"}, %w: tensor<64x64x3x3xf32> {sparse.name = "w"})
    -> tensor<1x64x34x34xf32> {
  %a = "sparse.contract"(%x, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 36, 36, 64, 1, 1>}
      : (tensor<1x64x36x36xf32>, tensor<64x64x1x1xf32>) -> tensor<1x64x36x36xf32>
  %b = "sparse.contract"(%a, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 34, 34, 64, 3, 3>}
      : (tensor<1x64x36x36xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x34x34xf32>
  %c = "sparse.contract"(%b, %v) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 34, 34, 64, 1, 1>}
      : (tensor<1x64x34x34xf32>, tensor<64x64x1x1xf32>) -> tensor<1x64x34x34xf32>
  return %c : tensor<1x64x34x34xf32>
}
