"""What a pass may know about the machine it compiles for: plain data, validated on construction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class CpuTarget:
    """A CPU: what LLVM has to be told, and what the cost model wants to know.

    Instances live in `cocomp.targets`; passes receive one and never look at its name.
    """

    name: str
    triple: str
    cpu: str
    vector_bytes: int
    """Width of a vector register."""
    registers: int
    """Number of vector registers."""
    features: str = ""
    tune: str = ""
    """Processor whose instruction timings are assumed; empty for that of `cpu`."""
    l1_bytes: int = 32 << 10
    l2_bytes: int = 512 << 10
    broadcast_operand: bool = False
    """True when a multiply-add can broadcast a scalar from memory without a register (AVX-512)."""
    fma_bytes: int = 0
    """Bytes of results that all multiply-add pipes together give in a cycle; 0 for two registers."""
    fp16: bool = False
    """True when the CPU computes in half precision."""
    addressable_dims: int = 1
    """Dimensions of memory along which a step is an addition to an address: 1 of buffers, 2 of textures."""
    page_bytes: int = 4096
    """Alignment of the artefact's segments."""
    filters: bool = True
    """True when there are kernels of minimal filtering for it."""
    whole_lines: ClassVar[bool] = True
    """True when a register tile may be a whole line of pixels."""
    busy_elements: ClassVar[int] = 0
    """Elements of a result from which on a kernel that computes several for each keeps all of the processor busy."""

    def __post_init__(self) -> None:
        if self.vector_bytes not in (16, 32, 64):
            raise ValueError(f"target '{self.name}': expected vectors of 16, 32 or 64 bytes, got {self.vector_bytes}")
        if self.registers < 8:
            raise ValueError(f"target '{self.name}': expected at least 8 vector registers, got {self.registers}")

    @property
    def fma_lanes(self) -> int:
        """Multiply-adds of single precision in a cycle."""
        return (self.fma_bytes or 2 * self.vector_bytes) // 4

    def lanes(self, element_bytes: int) -> int:
        """Elements of that size in one register."""
        return self.vector_bytes // element_bytes

    @property
    def architecture(self) -> str:
        """First part of the triple."""
        return self.triple.split("-")[0]

    @property
    def processor(self) -> str:
        """What the code is compiled for, for people."""
        return self.tune or self.cpu


@dataclass(frozen=True)
class GpuTarget:
    """A family of GPUs that run SPIR-V, and the machine that the artefact's library runs on."""

    name: str
    triple: str
    """Of the library that drives the GPU."""
    precision: str = "f32"
    page_bytes: int = 4096
    vector_bytes: int = 16
    """A texel: what is loaded at once."""
    registers: int = 32
    l1_bytes: int = 16 << 10
    l2_bytes: int = 512 << 10
    broadcast_operand: bool = False
    fma_lanes: int = 512
    """Multiply-adds of single precision in a cycle, of all cores."""
    texel_cycles: float = 22.0
    """To fetch four neighbouring elements, eight invocations at once. This and the next three were fitted to kernels on llvmpipe."""
    element_cycles: float = 27.0
    """To fetch one element."""
    weight_cycles: float = 11.0
    """To fetch four neighbouring elements that are the same for all invocations."""
    product_cycles: float = 4.0
    """To multiply four elements by one and add them to four others."""
    accumulators: int = 64
    """Elements that an invocation has room to add up."""
    texel_elements: int = 1 << 16
    """Texels that a buffer may be seen as."""
    buffer_bytes: int = 1 << 27
    """Bytes that a kernel sees of a buffer through one binding: every device takes so many."""
    busy_invocations: int = 64
    """That keep all cores busy: where a kernel has fewer points several compute one together."""
    workgroup_invocations: int = 128
    """Of a workgroup: every device takes so many."""
    gpu: str = ""
    """Family of GPUs; empty for any."""
    takes_images: bool = False
    """Whether what contractions read had better be an image than a buffer."""
    memory_reason: str = "buffers are read through the texture units, too"
    """Why, or why not."""
    image_extent: int = 4096
    """Texels that an image of two dimensions may have each way: every device takes so many."""
    volume_extent: int = 256
    """The same of three."""

    driver: CpuTarget | None = field(default=None, repr=False)
    """The processor that drives the GPU, and runs what `--fallback=cpu` leaves to it."""

    filters: bool = False
    addressable_dims: int = 1
    whole_lines: ClassVar[bool] = False
    busy_elements: ClassVar[int] = 1 << 17
    binding_alignment: ClassVar[int] = 256
    """Bytes: no device wants bindings to begin at multiples of more."""

    def __post_init__(self) -> None:
        if self.buffer_bytes < 1 or self.buffer_bytes % self.binding_alignment:
            raise ValueError(
                f"target '{self.name}': expected buffers of a multiple of {self.binding_alignment} bytes, got {self.buffer_bytes}"
            )

    def lanes(self, element_bytes: int) -> int:
        """Elements that are loaded at once: a texel has four, of any size."""
        return 4

    @property
    def architecture(self) -> str:
        """First part of the triple."""
        return self.triple.split("-")[0]

    @property
    def processor(self) -> str:
        """What the code is compiled for, for people."""
        return self.gpu or "vulkan1.1"


Target = CpuTarget | GpuTarget
