// RUN: cocomp-opt %S/network.mlir -target=linux-x86-64 --random-weights -p 'quantise-weights,quantise-activations,lower-to-integers,unfold-inputs,tile-to-device{device=xc7z020}' | FileCheck %s
// RUN: not cocomp-opt %S/network.mlir -p 'tile-to-device{device=xc7z1}' 2>&1 | FileCheck %s --check-prefix=DEVICE
// RUN: not cocomp-opt %s -p 'tile-to-device' 2>&1 | FileCheck %s --check-prefix=NOTHING

// The engine is as large as the device allows and the products use.

//  CHECK: hls.design = {capacity = {{[0-9]+}} : i64, device = "xc7z020", lanes = {{[0-9]+}} : i64, multipliers = [{{.+}}], requantisers = {{[0-9]+}} : i64, rows = array<i64: {{[1-9].*}}>, unroll = {{[0-9]+}} : i64}
// DEVICE: pass 'tile-to-device': unknown device 'xc7z1': expected one of xc7z010, xc7z020
// NOTHING: the model has no matrix product with weights: there is nothing for an accelerator's engine to compute
func.func @main(%x: tensor<4xui4>) -> tensor<4xui4> {
  return %x : tensor<4xui4>
}
