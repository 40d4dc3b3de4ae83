"""The budgets of the design, measured: `python -m benchmarks`.

Each module is one benchmark and ends with its `BENCHMARK`; every round of one runs in a process and,
where it writes, a store of its own. `python -m benchmarks --help` says how to choose among them.
"""
