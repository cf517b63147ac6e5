"""Kernels as SPIR-V modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.support.mlir import ObjectAttr, gpu, ir, ops_in, run_upstream
from cocomp.support.passes import Pass, State

CAPABILITIES = (
    "Shader", "Int8", "Int16", "Int64", "Float16", "StorageBuffer8BitAccess", "StorageBuffer16BitAccess",
    "SampledBuffer", "ImageBuffer",
)  # fmt: skip
EXTENSIONS = ("SPV_KHR_storage_buffer_storage_class", "SPV_KHR_8bit_storage", "SPV_KHR_16bit_storage")
ENVIRONMENT = f"#spirv.target_env<#spirv.vce<v1.3, [{', '.join(CAPABILITIES)}], [{', '.join(EXTENSIONS)}]>, #spirv.resource_limits<>>"
"""What kernels may use (Vulkan 1.1); a module says which of it it does."""
PIPELINE = (
    "gpu.module(canonicalize,cse,loop-invariant-code-motion,canonicalize,cse,convert-math-to-spirv),"
    "convert-gpu-to-spirv{use-64bit-index=false},"
    "spirv.module(spirv-lower-abi-attrs,canonicalize,cse,spirv-update-vce)"
)


@dataclass(frozen=True)
class LowerToSpirvPass(Pass):
    """Lower a module of kernels to one SPIR-V module each.

        func @group_3(%x: memref<4096xf32, storage>, ..) attributes {kernel.grid = [16, 1, 1]}
      -->
        spirv.module @__spv__group_3 { spirv.GlobalVariable @group_3_arg_0 bind(0, 0) .. spirv.func @group_3() .. }

    Argument number n becomes binding n of descriptor set 0, buffers first, then images. Needs a module that holds kernels only.
    """

    name: ClassVar[str] = "lower-to-spirv"

    def run(self, module: ir.Module, state: State) -> None:
        module.operation.attributes["gpu.container_module"] = ir.UnitAttr.get()
        module.operation.attributes["spirv.target_env"] = ir.Attribute.parse(ENVIRONMENT)
        for function in ops_in(module.body):
            with ir.InsertionPoint(function), function.location:
                _wrap(function)
            function.erase()
        run_upstream(module, PIPELINE)
        for op in ops_in(module.body):
            if op.name == "gpu.module":  # the conversion works on copies
                op.erase()


def _wrap(function: ir.Operation) -> None:
    """A GPU module of its own for a kernel, with the kernel's body; images become variables of the module."""
    name = function.attributes["sym_name"]
    block = function.regions[0].blocks[0]
    holder = gpu.GPUModuleOp(name)
    inside = holder.bodyRegion.blocks[0] if holder.bodyRegion.blocks else holder.bodyRegion.blocks.append()
    images = [n for n, argument in enumerate(block.arguments) if not isinstance(argument.type, ir.MemRefType)]
    for number in reversed(images):
        argument = block.arguments[number]
        kind = ir.Type.parse(f"!spirv.ptr<{argument.type}, UniformConstant>")
        symbol = f"{name.value}_image_{number}"
        with ir.InsertionPoint.at_block_begin(inside):
            binding = {"binding": _i32(number), "descriptor_set": _i32(0)}
            described = {"sym_name": ir.StringAttr.get(symbol), "type": ir.TypeAttr.get(kind), **binding}
            ir.Operation.create("spirv.GlobalVariable", attributes=described)
        with ir.InsertionPoint.at_block_begin(block):
            reference = {"variable": ir.FlatSymbolRefAttr.get(symbol)}
            pointer = ir.Operation.create("spirv.mlir.addressof", results=[kind], attributes=reference).results[0]
            loaded = ir.Operation.create("spirv.Load", results=[argument.type], operands=[pointer]).results[0]
        argument.replace_all_uses_with(loaded)
        block.erase_argument(number)
    types = [argument.type for argument in block.arguments]
    size = function.attributes["kernel.workgroup"].value
    with ir.InsertionPoint(inside):
        made = ir.Operation.create(
            "gpu.func",
            attributes={
                "sym_name": name,
                "function_type": ir.TypeAttr.get(ir.FunctionType.get(types, [])),
                "gpu.kernel": ir.UnitAttr.get(),
                "spirv.entry_point_abi": ir.Attribute.parse(f"#spirv.entry_point_abi<workgroup_size = [{size}, 1, 1]>"),
            },
            regions=1,
        )
    block.append_to(made.regions[0])
    end = ops_in(made.regions[0].blocks[0])[-1]
    with ir.InsertionPoint(end), end.location:
        gpu.ReturnOp([])
    end.erase()


def _i32(value: int) -> ir.IntegerAttr:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(32), value)


def spirv_binaries(module: ir.Module) -> dict[str, bytes]:
    """SPIR-V of every module that `lower-to-spirv` made, by the name of its kernel; the module is used up."""
    found: dict[str, bytes] = {}
    for op in ops_in(module.body):
        name = next(o.attributes["sym_name"].value for o in ops_in(op.regions[0].blocks[0]) if o.name == "spirv.func")
        # gpu-module-to-binary serialises what lies in a gpu.module that has a SPIR-V target.
        wrapper = ir.Module.parse(
            f"module attributes {{gpu.container_module}} {{ gpu.module @k [{ENVIRONMENT}] {{}} }}"
        )
        op.detach_from_parent()
        wrapper.body.operations[0].regions[0].blocks[0].append(op)
        run_upstream(wrapper, "gpu-module-to-binary")
        found[name] = ObjectAttr(wrapper.body.operations[0].attributes["objects"][0]).object
    return found
