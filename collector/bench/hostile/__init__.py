"""`millworth bench hostile`: mutated requests hurt neither the service nor their neighbours.

Begin with `run`; `mutations` makes the requests.
"""
