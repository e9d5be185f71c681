"""A ledger of many processes: receivers and dispatchers on PostgreSQL, under load, with everything
that may go wrong, and an account of every event that was accepted.

`run` sets up and settles the account; `providers` send until they get a 2xx; `targets` answer, some
badly; `faults` break processes, the database, the network and clocks; `changes` are what users do
meanwhile; `report` is the account for people.
"""
