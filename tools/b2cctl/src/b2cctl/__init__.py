"""The pipeline: plan builds, record releases, check changes of gitops/."""
