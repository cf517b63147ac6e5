// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd,pack-weights,assign-arena,lower-winograd | FileCheck %s

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// CHECK-LABEL: func.func private @group_1(
//  CHECK-SAME:   kind = "winograd
//       CHECK: math.fma
//       CHECK: vector.store
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
