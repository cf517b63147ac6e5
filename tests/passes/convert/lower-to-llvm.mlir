// RUN: cocomp-opt %s -p lower-to-llvm | FileCheck %s

// Buffers are bare pointers.

// CHECK-LABEL: llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64)
//       CHECK: llvm.load %{{.+}} : !llvm.ptr -> vector<8xf32>
//       CHECK: llvm.intr.fma
//       CHECK: llvm.return
func.func @kernel(%x: memref<64xf32>, %y: memref<64xf32>, %first: index, %last: index) {
  %c8 = arith.constant 8 : index
  scf.for %i = %first to %last step %c8 {
    %v = vector.load %x[%i] : memref<64xf32>, vector<8xf32>
    %f = math.fma %v, %v, %v : vector<8xf32>
    vector.store %f, %y[%i] : memref<64xf32>, vector<8xf32>
  }
  return
}
