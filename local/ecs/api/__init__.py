"""The calls of the ECS API that moto only pretends to answer: each a function of the request, patched over moto's."""
