"""Live ECS for the embedded AWS: what moto stores, this folder makes happen.

`scheduler.py` is the way in. Services are decided by pure functions (`rollout.py`), tasks are lived by one thread each
(`runner.py`), containers are process groups (`spawner.py`, `watcher.py`), and the API answers are patched over moto's
(`api/`).
"""
