"""What becomes of an event, without a plane: `receive` takes one in by a real receiver on a store
of its own, `deliver` shows what each subscription would send, and sends nothing.
"""
