// RUN: cocomp-opt %S/network.mlir -target=linux-x86-64 --random-weights -p 'quantise-weights,quantise-activations,lower-to-integers,unfold-inputs,tile-to-device,size-buffers' | FileCheck %s

// What products read has its channels innermost, those of a product in the order of the engine; what is returned is row-major.

// CHECK-LABEL: func.func @main
//  CHECK-SAME: hls.inputs = [{axis = 1 : i64, extent = 16 : i64, offset = 0 : i64, order = "", strides = array<i64: {{[0-9]+}}, 1, {{[0-9]+}}, {{[0-9]+}}>, width = 8 : i64}]
//  CHECK-SAME: hls.memory = array<i64: {{[1-9].*}}>
//       CHECK: "hls.product"(%arg0) {{.*}}buffer = {axis = 1 : i64, {{.*}}order = "{{.+}}:order", {{.*}}width = 8 : i64}
//       CHECK: "hls.product"(%0) {{.*}}buffer = {axis = -1 : i64, {{.*}}order = "", strides = array<i64: 32, 4, 2, 1>, width = 16 : i64}
