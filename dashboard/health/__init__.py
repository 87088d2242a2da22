"""What the service knows about itself: stages, lags, losses, jobs; `/readyz` and the Health page.

Imports settings and units. Begin with `service`; `running` says what it reads of a service.
"""
