"""How many contractions a function holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cocomp.support.mlir import ir, ops_in
from cocomp.support.passes import Pass, State


@dataclass(frozen=True)
class CountContractionsPass(Pass):
    """Write the number of contractions of every function on it.

        func.func @main(..)      -->      func.func @main(..) attributes {acme.contractions = 3 : i64}

    `label` is the name of the attribute. Needs `raise-contractions`; changes nothing else.
    """

    name: ClassVar[str] = "count-contractions"
    label: str = "contractions"

    def run(self, module: ir.Module, state: State) -> None:
        for function in ops_in(module.body):
            names = [op.name for op in ops_in(function.regions[0].blocks[0])]
            count = names.count("sparse.contract")
            kind = ir.IntegerType.get_signless(64)
            function.attributes[f"acme.{self.label}"] = ir.IntegerAttr.get(kind, count)
