"""How things run. Read actor.py (the interface), supervisor.py (order, restarts), workqueue.py and backoff.py (pure),
clock.py (all time, ids and randomness) and log.py. Knows nothing of Kubernetes.
"""
