"""Expressions of strangers, run in processes that may be killed.

`judge` is what others use: an expression that is evaluated at once where that is cheap for certain,
and otherwise by the `pool`, which gives a verdict for each event of a batch. `evaluator` is one
process as its parent sees it, `child` is what runs in it, and `protocol` is what the two say to
each other. `turns` shares the processes between namespaces, and `strikes` counts what an expression
had to be stopped for. A process has a limit of memory and, for each event, of CPU; an expression
that meets one loses that event alone, and the process.
"""
