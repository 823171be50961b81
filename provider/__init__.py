"""The `bluegreen` resource provider: gates and traffic shifts that Pulumi can order, preview and take back.

Programs import `provider.resources`. The plugin process runs `provider/main.py` and never imports `pulumi`.
"""
