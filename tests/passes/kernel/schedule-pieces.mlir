// Blocks of 32 x 64 lose rows of their own: no row group keeps few columns, but bands of 32 rows in pieces do.

// RUN: python %S/blocks.py %t.safetensors
// RUN: cocomp-opt %s -target=linux-x86-64 --weights %t.safetensors -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions | FileCheck %s
// RUN: cocomp-opt %s -target=linux-x86-64 --weights %t.safetensors -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd,pack-weights | FileCheck %s --check-prefix=PACKED
// RUN: cocomp-opt %s -target=linux-x86-64 --weights %t.safetensors -p encode-weights,plan-fusion,form-groups,select-layout,schedule-contractions,build-plan,prepare-winograd,pack-weights,assign-arena,lower-contractions | FileCheck %s --check-prefix=KERNEL

#x = affine_map<(n, f, i, j, c) -> (n, c, i, j)>
#w = affine_map<(n, f, i, j, c) -> (f, c)>
#y = affine_map<(n, f, i, j, c) -> (n, f, i, j)>

// CHECK-LABEL: func.func private @group_0(
//  CHECK-SAME:   kernel.schedule = {along_pixels = true, band = 32
//  CHECK-SAME:   groups = array<i64: 2>
//  CHECK-SAME:   keep_zeros = false
//  CHECK-SAME:   vectors = array<i64: 4>

// A third table has the pieces.
// PACKED-LABEL: func.func @main()
//   PACKED-DAG: %[[X:.+]] = "plan.input"
//   PACKED-DAG: %[[W:.+]] = "plan.constant"() {weight = "w:packed"}
//   PACKED-DAG: %[[O:.+]] = "plan.constant"() {weight = "w:offsets"}
//   PACKED-DAG: %[[S:.+]] = "plan.constant"() {weight = "w:spans"}
//   PACKED-DAG: %[[P:.+]] = "plan.constant"() {weight = "w:pieces"}
//       PACKED: "plan.dispatch"(%[[X]], %[[W]], %{{.+}}, %[[O]], %[[S]], %[[P]])
//  PACKED-SAME: skipped_flops = 3670016

// Accumulators of a band are cleared, and for each piece loaded, added to, stored; then the result is.
// KERNEL-LABEL: func.func private @group_0(
//  KERNEL-SAME:   packing = "blocks of 32 rows"
//  KERNEL-SAME:   kernel.scratch = {{[0-9]+}}
//       KERNEL: scf.for
//       KERNEL:   vector.store %{{.+}}, %[[SCRATCH:[a-z0-9]+]][
//       KERNEL: scf.for
//       KERNEL:   vector.load %[[SCRATCH]][
//       KERNEL:   scf.for {{.+}} iter_args(
//       KERNEL:     math.fma
//       KERNEL:   vector.store %{{.+}}, %[[SCRATCH]][
//       KERNEL: scf.for
//       KERNEL:   vector.load %[[SCRATCH]][
//       KERNEL:   vector.store
func.func @main(%x: tensor<1x128x16x16xf32>, %w: tensor<64x128xf32> {sparse.name = "w"}) -> tensor<1x64x16x16xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 1, 64, 16, 16, 128>}
      : (tensor<1x128x16x16xf32>, tensor<64x128xf32>) -> tensor<1x64x16x16xf32>
  return %y : tensor<1x64x16x16xf32>
}
