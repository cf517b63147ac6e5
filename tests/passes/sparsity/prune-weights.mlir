// RUN: cocomp-opt %s -target=linux-x86-64 --random-weights -p 'prune-weights{encoding=bcr<8,all> rate=4},encode-weights' | FileCheck %s
// RUN: not cocomp-opt %s --random-weights -p 'prune-weights{encoding=bcr}' 2>&1 | FileCheck %s --check-prefix=HALF
// RUN: not cocomp-opt %s --random-weights -p 'prune-weights{encoding=csr rate=0.5}' 2>&1 | FileCheck %s --check-prefix=RATE

// Both products lose three quarters of their weights, in blocks; the one that says how it is encoded keeps all of them.

#x = affine_map<(f, p, c) -> (c, p)>
#w = affine_map<(f, p, c) -> (f, c)>
#y = affine_map<(f, p, c) -> (f, p)>

//  HALF: pass 'prune-weights': expected bcr<rows, columns>, got 'bcr'
//  RATE: pass 'prune-weights': expected a rate from 1, got 0.5

// CHECK-LABEL: func.func @main
//  CHECK-SAME: tensor<16x64xf32, #sparse.bcr<8 : i64, 64 : i64>> {sparse.name = "w:pruned"}
//  CHECK-SAME: tensor<16x16xf32, #sparse.dense> {sparse.name = "v"}
func.func @main(%x: tensor<64x4xf32>, %w: tensor<16x64xf32> {sparse.name = "w"}, %v: tensor<16x16xf32, #sparse.dense> {sparse.name = "v"})
    -> tensor<16x4xf32> {
  %a = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 16, 4, 64>}
      : (tensor<64x4xf32>, tensor<16x64xf32>) -> tensor<16x4xf32>
  %b = "sparse.contract"(%a, %v) {maps = [#x, #w, #y], bounds = array<i64: 16, 4, 16>}
      : (tensor<16x4xf32>, tensor<16x16xf32, #sparse.dense>) -> tensor<16x4xf32>
  return %b : tensor<16x4xf32>
}
