// RUN: cocomp-opt %s | cocomp-opt - | FileCheck %s

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

// CHECK-LABEL: func.func @encodings
//  CHECK-SAME:   tensor<8x4xf32, #sparse.dense>
//  CHECK-SAME:   tensor<8x4xf32, #sparse.bcr<4 : i64, 2 : i64>>
//  CHECK-SAME:   tensor<8x4xf32, #sparse.kgs<8 : i64, 4 : i64>>
//       CHECK: "sparse.contract"(%arg0, %arg2) {bounds = array<i64: 2, 8, 4>, maps = [
func.func @encodings(%x: tensor<2x4xf32>, %a: tensor<8x4xf32, #sparse.dense>, %b: tensor<8x4xf32, #sparse.bcr<4 : i64, 2 : i64>>,
                     %c: tensor<8x4xf32, #sparse.kgs<8 : i64, 4 : i64>>) -> tensor<2x8xf32> {
  %r = "sparse.contract"(%x, %b) {maps = [#x, #w, #y], bounds = array<i64: 2, 8, 4>}
      : (tensor<2x4xf32>, tensor<8x4xf32, #sparse.bcr<4 : i64, 2 : i64>>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @all_encodings
//  CHECK-SAME:   #sparse.filter>, {{.*}}#sparse.channel>, {{.*}}#sparse.csr>
//  CHECK-SAME:   #sparse.pattern<4 : i64, 8 : i64>>, {{.*}}#sparse.nm<2 : i64, 4 : i64>>, {{.*}}#sparse.block<4 : i64, 1 : i64>>
func.func @all_encodings(%a: tensor<8x4xf32, #sparse.filter>, %b: tensor<8x4xf32, #sparse.channel>, %c: tensor<8x4xf32, #sparse.csr>,
                         %d: tensor<8x4xf32, #sparse.pattern<4 : i64, 8 : i64>>, %e: tensor<8x4xf32, #sparse.nm<2 : i64, 4 : i64>>,
                         %f: tensor<8x4xf32, #sparse.block<4 : i64, 1 : i64>>) {
  return
}
