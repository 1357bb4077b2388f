"""What `examples/benchmarks/speed.py` measures, a file a kind of measurement."""
