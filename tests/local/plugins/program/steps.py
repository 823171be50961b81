"""Which values: step 1 as created, 2 changed in place, 3 replaced."""

import pulumi

step = pulumi.Config().require_int("step")
changed, replaced = step >= 2, step >= 3
TAGS = {"step": "2" if changed else "1"}
ANYWHERE = "0.0.0.0/0"
