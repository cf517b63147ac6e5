"""Rewriting by mathematical properties: terms, rules, equality saturation, cost, extraction. Nothing here knows MLIR."""
