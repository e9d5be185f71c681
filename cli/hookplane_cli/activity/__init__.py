"""The log of activity: what people and machines read while webhooks flow.

The receiver and the dispatcher report what happens to events (`hookplane.reporting.activity`); a
line for each goes to standard output, as text or as JSON. Reporting never blocks: lines beyond a
limit for each second become one line of numbers, and a terminal or pipe that is read too slowly
loses lines, whose count is told.
"""
