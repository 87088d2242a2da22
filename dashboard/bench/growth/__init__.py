"""What the service costs on stores of different sizes: `millworth bench growth`.

Promises stores that the product's own tables and views made, built once and kept. May import every
room. Begin with `run`; `store` builds.
"""
