// What drivers get, instruction by instruction: an element-wise kernel, and the inner loop over a list of kept columns.

// REQUIRES: spirv-dis
// RUN: python %S/../gpu/kept.py %t.safetensors
// RUN: cocomp-opt %s --split-input-file -target=vulkan --weights %t.safetensors -p encode-weights,plan-fusion,form-groups,select-layout{gather=true},schedule-shades,build-plan,pack-weights,shade-contractions,shade-loops,bind-texels -o %t.mlir
// RUN: python %S/disassemble.py %t.mlir | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>

//      CHECK: OpCapability Shader
// CHECK-NEXT: OpCapability SampledBuffer
// CHECK-NEXT: OpCapability ImageBuffer
// CHECK-NEXT: OpCapability Matrix
// CHECK-NEXT: OpMemoryModel Logical GLSL450
// CHECK-NEXT: OpEntryPoint GLCompute %group_0 "group_0" %__builtin__WorkgroupId__ %__builtin__LocalInvocationId__
// CHECK-NEXT: OpExecutionMode %group_0 LocalSize 64 1 1
//      CHECK: OpDecorate %group_0_image_0 Binding 0
// CHECK-NEXT: OpDecorate %group_0_image_0 DescriptorSet 0
// CHECK-NEXT: OpDecorate %group_0_image_1 Binding 1
// CHECK-NEXT: OpDecorate %group_0_image_1 DescriptorSet 0
//      CHECK: OpTypeImage %float Buffer 0 0 0 1 Unknown
//      CHECK: OpTypeImage %float Buffer 0 0 0 2 Rgba32f
//      CHECK: %group_0 = OpFunction %void None
// CHECK-NEXT: OpLabel
// CHECK-NEXT: %[[X:.+]] = OpLoad %{{.+}} %group_0_image_0
// CHECK-NEXT: %[[Y:.+]] = OpLoad %{{.+}} %group_0_image_1
// CHECK-NEXT: %[[BLOCKS:.+]] = OpLoad %v3uint %__builtin__WorkgroupId__
// CHECK-NEXT: %[[BLOCK:.+]] = OpCompositeExtract %uint %[[BLOCKS]] 0
// CHECK-NEXT: %[[LANES:.+]] = OpLoad %v3uint %__builtin__LocalInvocationId__
// CHECK-NEXT: %[[LANE:.+]] = OpCompositeExtract %uint %[[LANES]] 0
// CHECK-NEXT: %[[FIRST:.+]] = OpIMul %uint %[[BLOCK]] %uint_64
// CHECK-NEXT: %[[AT:.+]] = OpIAdd %uint %[[FIRST]] %[[LANE]]
// CHECK-NEXT: %[[A:.+]] = OpImageFetch %v4float %[[X]] %[[AT]]
// CHECK-NEXT: %[[SUM:.+]] = OpFAdd %v4float %[[A]] %[[A]]
// CHECK-NEXT: OpImageWrite %[[Y]] %[[AT]] %[[SUM]]
// CHECK-NEXT: OpReturn
// CHECK-NEXT: OpFunctionEnd
func.func @main(%x: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %e = tensor.empty() : tensor<32x32xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  } -> tensor<32x32xf32>
  return %y : tensor<32x32xf32>
}

// -----

// Two pixels by eight rows: for four columns two texels of the input and eight of the weight, addresses are counted in texels.

#x = affine_map<(p, r, c) -> (p, c)>
#w = affine_map<(p, r, c) -> (r, c)>
#y = affine_map<(p, r, c) -> (p, r)>

//      CHECK: OpLoopMerge
// CHECK-NEXT: OpBranchConditional
// CHECK-NEXT: OpLabel
// CHECK-NEXT: %[[ENTRIES:.+]] = OpImageFetch %v4uint
// CHECK-NEXT: %[[OFFSET:.+]] = OpCompositeExtract %uint %[[ENTRIES]] 0
// CHECK-NEXT: %[[PLACE:.+]] = OpUDiv %uint %[[OFFSET]] %uint_4
// CHECK-NEXT: %[[DONE:.+]] = OpISub %uint
// CHECK-NEXT: %[[COLUMN:.+]] = OpIMul %uint %[[DONE]] %uint_4
// CHECK-NEXT: %[[P0:.+]] = OpImageFetch %v4float %[[X:.+]] %[[PLACE]]
// CHECK-NEXT: %[[NEXT:.+]] = OpIAdd %uint %[[PLACE]] %uint_16
// CHECK-NEXT: %[[P1:.+]] = OpImageFetch %v4float %[[X]] %[[NEXT]]
// CHECK-COUNT-8: OpCompositeExtract %float
// CHECK-NEXT: %[[STEP:.+]] = OpIMul %uint %[[DONE]] %uint_8
// CHECK-NEXT: %[[V:.+]] = OpIAdd %uint %{{.+}} %[[STEP]]
// CHECK-NEXT: %[[W0:.+]] = OpImageFetch %v4float %[[W:.+]] %[[V]]
// CHECK-NEXT: %[[V1:.+]] = OpIAdd %uint %[[V]] %uint_1
// CHECK-NEXT: %[[W1:.+]] = OpImageFetch %v4float %[[W]] %[[V1]]
// CHECK-NEXT: %[[S0:.+]] = OpCompositeConstruct %v4float
// CHECK-NEXT: %[[S1:.+]] = OpCompositeConstruct %v4float
// CHECK-NEXT: OpFMul %v4float %[[W0]] %[[S0]]
// CHECK-NEXT: OpFMul %v4float %[[W0]] %[[S1]]
// CHECK-NEXT: OpFMul %v4float %[[W1]] %[[S0]]
// CHECK-NEXT: OpFMul %v4float %[[W1]] %[[S1]]
// CHECK-COUNT-4: OpFAdd %v4float
// CHECK-NOT: OpUDiv
// CHECK: OpBranch
func.func @main(%x: tensor<2x64xf32>, %w: tensor<16x64xf32> {sparse.name = "quads"}) -> tensor<2x16xf32> {
  %y = "sparse.contract"(%x, %w) {maps = [#x, #w, #y], bounds = array<i64: 2, 16, 64>} : (tensor<2x64xf32>, tensor<16x64xf32>) -> tensor<2x16xf32>
  return %y : tensor<2x16xf32>
}
