"""What the product needs: time, CPU, memory, bytes. `python -m tests.benchmarks [name…] [--write]`."""
