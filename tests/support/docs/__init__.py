"""The pages for users: their fragments, and a machine on which these run."""
