"""The vocabulary of Kubernetes, pure: typed objects (one file per group and version), meta.py, scheme.py, codec.py, and what
is decided about objects without knowing a cluster: defaults, validation, patches, selectors, quantities.
"""
