// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd,pack-weights,assign-arena,lower-winograd | FileCheck %s

#x = affine_map<(n, f, h, w, c, kh, kw) -> (n, h + kh, w + kw, c)>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * 2 + i, w * 2 + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>

// Four outputs of a tile's sixteen, lying in scratch memory, become one that is stored.

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   memref<12544xf32>
//  CHECK-SAME:   kind = "winograd 4x4"
//       CHECK: math.fma
//       CHECK: %[[A:.+]] = arith.maximumf
//       CHECK: %[[B:.+]] = arith.maximumf %{{.+}}, %[[A]]
//       CHECK: %[[C:.+]] = arith.maximumf %{{.+}}, %[[B]]
//       CHECK: %[[D:.+]] = arith.maximumf %{{.+}}, %[[C]]
//       CHECK: vector.extract %[[D]]
func.func @main(%x: tensor<1x31x31x64xf32>, %w: tensor<64x64x3x3xf32> {sparse.name = "w"}) -> tensor<1x64x14x14xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<1x64x14x14xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %c = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 29, 29, 64, 3, 3>}
      : (tensor<1x31x31x64xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x29x29xf32>
  %p = linalg.generic {indexing_maps = [#in, #window, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%c, %window : tensor<1x64x29x29xf32>, tensor<2x2xf32>) outs(%low : tensor<1x64x14x14xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<1x64x14x14xf32>
  return %p : tensor<1x64x14x14xf32>
}
