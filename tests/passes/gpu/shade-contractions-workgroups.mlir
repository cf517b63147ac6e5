// RUN: cocomp-opt %s -target=vulkan --random-weights -p 'build-plan,pack-weights,shade-contractions,bind-texels' | FileCheck %s

// Tiles of four pixels and eight rows, twelve of them each way. Eight by four invocations are a workgroup: two of them side by side, three one
// above the other. Only those beside the twelfth tile of pixels have nothing to do.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>
#lines = affine_map<(d0, d1) -> (d0 * 32 + d1)>
#wide = affine_map<(d0, d1) -> (d0 * 96 + d1)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.grid = array<i64: 2, 3, 1>
//  CHECK-SAME:   kernel.workgroup = 32
//   CHECK-DAG: %[[X:.*]] = gpu.block_id x
//   CHECK-DAG: %[[Y:.*]] = gpu.block_id y
//   CHECK-DAG: %[[INVOCATION:.*]] = gpu.thread_id x
//       CHECK: %[[BESIDE:.*]] = arith.remui %[[INVOCATION]], %c8
//       CHECK: %[[UNDER:.*]] = arith.divui %[[INVOCATION]], %c8
//       CHECK: %[[ROWS:.*]] = arith.muli %[[Y]], %c4
//       CHECK: arith.addi %[[ROWS]], %[[UNDER]]
//       CHECK: %[[TILES:.*]] = arith.muli %[[X]], %c8
//       CHECK: %[[TILE:.*]] = arith.addi %[[TILES]], %[[BESIDE]]
//       CHECK: arith.cmpi ult, %[[TILE]], %c12
//   CHECK-NOT: arith.cmpi ult
//       CHECK: spirv.ImageFetch
func.func @main(%x: tensor<48x32xf32>, %w: tensor<96x32xf32, #sparse.dense> {sparse.name = "w"}) -> tensor<48x96xf32> {
  %y = call @group_0(%x, %w) : (tensor<48x32xf32>, tensor<96x32xf32, #sparse.dense>) -> tensor<48x96xf32>
  return %y : tensor<48x96xf32>
}
func.func private @group_0(%x: tensor<48x32xf32> {layout.map = #layout.map<#lines, 1536 : i64, "buffer">}, %w: tensor<96x32xf32, #sparse.dense> {layout.map = #layout.map<#lines, 3072 : i64, "buffer">, sparse.weight}) -> (tensor<48x96xf32> {layout.map = #layout.map<#wide, 4608 : i64, "buffer">}) attributes {kernel.schedule = {along_pixels = false, band = 0 : i64, groups = array<i64: 12>, keep_zeros = true, lanes = 4 : i64, lines = 1 : i64, pixel_block = 1 : i64, pixels = 4 : i64, prefetch = false, row_block = 1 : i64, unit = 1 : i64, vectors = array<i64: 2>, workgroup = array<i64: 8, 4>}} {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 48, 96, 32>} : (tensor<48x32xf32>, tensor<96x32xf32, #sparse.dense>) -> tensor<48x96xf32>
  return %y : tensor<48x96xf32>
}
