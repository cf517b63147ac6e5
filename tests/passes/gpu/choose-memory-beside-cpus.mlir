// RUN: cocomp-opt %s -target=vulkan -p 'select-layout{gather=true},choose-memory{memory=texture}' | FileCheck %s

// What the CPU reads is in a buffer.

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func @main(
//         CHECK:   call @group_0(
//    CHECK-SAME:     layout.in_buffer = ["the CPU reads or writes it"]
//         CHECK:   call @group_1(
//     CHECK-NOT: texture2d
func.func @main(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %y = call @group_0(%x) : (tensor<8x16xf32>) -> tensor<8x16xf32>
  %z = call @group_1(%y) : (tensor<8x16xf32>) -> tensor<8x16xf32>
  return %z : tensor<8x16xf32>
}

func.func private @group_0(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %e = tensor.empty() : tensor<8x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

func.func private @group_1(%x: tensor<8x16xf32>) -> tensor<8x16xf32> attributes {kernel.on_cpu = "double precision is not supported on GPUs"} {
  %e = tensor.empty() : tensor<8x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%a: f32, %b: f32):
    %d = arith.extf %a : f32 to f64
    %c = arith.truncf %d : f64 to f32
    linalg.yield %c : f32
  } -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}
