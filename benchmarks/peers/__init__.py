"""The engines that cocomp is measured against, each in its own environment and its own process.

On the harness' side: `catalogue` (who they are), `environments` (their virtual environments), `sources` and
`export` (a zoo model in their formats), `process` (talking to a worker). On the peer's side: `worker` and one
adapter file per engine, which import nothing but the standard library, numpy and that engine.
"""
