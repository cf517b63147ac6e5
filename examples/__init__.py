"""Programs that show what cocomp does; each runs as `python -m examples.NAME`."""
