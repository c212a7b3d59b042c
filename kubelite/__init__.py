"""kubelite: Kubernetes in one Python process."""
