// RUN: cocomp-opt %s -target=vulkan -p lower-to-spirv | FileCheck %s

// Buffers are variables of a structure, images are variables of their type; bindings count the arguments.

// CHECK: spirv.module @__spv__double Logical GLSL450
// CHECK-DAG: spirv.GlobalVariable @double_arg_0 bind(0, 0) : !spirv.ptr<!spirv.struct<(!spirv.array<64 x f32, stride=4> [0])>, StorageBuffer>
// CHECK-DAG: spirv.GlobalVariable @double_image_1 bind(0, 1)
// CHECK: spirv.func @double()
// CHECK:   spirv.ImageFetch
// CHECK:   spirv.Store "StorageBuffer"
// CHECK: spirv.EntryPoint "GLCompute" @double
// CHECK: spirv.ExecutionMode @double "LocalSize", 64, 1, 1
// CHECK-NOT: gpu.module

!image = !spirv.image<f32, Buffer, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>

func.func private @double(%y: memref<64xf32, #spirv.storage_class<StorageBuffer>>, %x: !image) attributes {kernel.workgroup = 64 : i64} {
  %i = gpu.thread_id x
  %n = arith.index_cast %i : index to i32
  %v = spirv.ImageFetch %x, %n : !image, i32 -> vector<4xf32>
  %a = vector.extract %v[0] : f32 from vector<4xf32>
  %b = arith.addf %a, %a : f32
  memref.store %b, %y[%i] : memref<64xf32, #spirv.storage_class<StorageBuffer>>
  return
}

// CHECK: spirv.module @__spv__turn Logical GLSL450
// CHECK-DAG: spirv.GlobalVariable @turn_image_0 bind(0, 0) : !spirv.ptr<!spirv.image<f32, Dim2D, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>, UniformConstant>
// CHECK-DAG: spirv.GlobalVariable @turn_image_1 bind(0, 1) : !spirv.ptr<!spirv.image<f32, Dim2D, NoDepth, NonArrayed, SingleSampled, NoSampler, Rgba32f>, UniformConstant>
// CHECK: spirv.func @turn()
// CHECK:   %[[XY:.*]] = spirv.CompositeConstruct %{{.*}}, %{{.*}} : (i32, i32) -> vector<2xi32>
// CHECK:   spirv.ImageFetch %{{.*}}, %[[XY]]
// CHECK:   spirv.VectorExtractDynamic
// CHECK:   spirv.ImageWrite
!read = !spirv.image<f32, Dim2D, NoDepth, NonArrayed, SingleSampled, NeedSampler, Unknown>
!written = !spirv.image<f32, Dim2D, NoDepth, NonArrayed, SingleSampled, NoSampler, Rgba32f>

func.func private @turn(%x: !read, %y: !written) attributes {kernel.workgroup = 64 : i64} {
  %i = gpu.thread_id x
  %j = gpu.thread_id y
  %n = arith.index_cast %i : index to i32
  %m = arith.index_cast %j : index to i32
  %xy = vector.from_elements %n, %m : vector<2xi32>
  %yx = vector.from_elements %m, %n : vector<2xi32>
  %v = spirv.ImageFetch %x, %xy : !read, vector<2xi32> -> vector<4xf32>
  %a = vector.extract %v[%i] : f32 from vector<4xf32>
  %s = vector.broadcast %a : f32 to vector<4xf32>
  spirv.ImageWrite %y, %yx, %s : !written, vector<2xi32>, vector<4xf32>
  return
}
