"""Commands of whoever keeps the service: tokens, migrations, holds, rejected items.

Begin with `migrate`.
"""
