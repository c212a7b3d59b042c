"""What a component sees of the cluster. Read interface.py (rights), plan.py and view.py (decisions as data), then
reflector.py, cache.py, informer.py (staying current), host.py (running a decision), custom_kinds.py; recorder.py: Events.
"""
