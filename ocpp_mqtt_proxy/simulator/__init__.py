"""A charger to try things with: a car with a battery, a box that charges it, and its OCPP connection.

`car` and `box` are pure; `station` speaks OCPP through the same dialect rows as the proxy; `console` takes
commands.
"""
